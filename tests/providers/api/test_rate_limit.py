"""The rate of requests."""

from __future__ import annotations

from parsl.providers.api.rate_limit import TokenBucket


def test_a_burst_is_free_and_then_requests_wait():
    bucket = TokenBucket(rate=2.0, burst=3)
    assert [bucket.take(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_a_pause_allows_the_next_burst_and_not_more():
    bucket = TokenBucket(rate=2.0, burst=2)
    for _ in range(2):
        bucket.take(0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [0.0, 0.0, 0.5]


def test_a_clock_that_goes_back_does_no_harm():
    bucket = TokenBucket(rate=1.0, burst=1)
    assert bucket.take(10.0) == 0.0
    assert bucket.take(5.0) == 1.0
