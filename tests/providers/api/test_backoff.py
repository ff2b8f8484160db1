"""Delays between attempts."""

from __future__ import annotations

import pytest

from parsl.providers.api.backoff import MAX_ATTEMPTS, MAX_DELAY_S, next_delay
from parsl.providers.api.failure import FailureKind


def test_delays_grow_up_to_a_maximum():
    delays = [next_delay(attempt, FailureKind.TRANSIENT, None, 1.0) for attempt in range(1, MAX_ATTEMPTS)]
    assert delays == sorted(delays)
    assert delays[0] == pytest.approx(0.2)
    assert delays[-1] == MAX_DELAY_S


def test_delays_are_spread():
    assert next_delay(3, FailureKind.THROTTLED, None, 0.0) == 2.0
    assert next_delay(3, FailureKind.THROTTLED, None, 1.0) == 4.0


def test_a_service_may_request_to_wait_longer():
    assert next_delay(1, FailureKind.THROTTLED, 30.0, 0.5) == 30.0
    assert next_delay(1, FailureKind.THROTTLED, 0.0, 0.0) == 0.5


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if not kind.is_retried])
def test_other_failures_are_not_retried(kind):
    assert next_delay(1, kind, None, 0.5) is None


def test_attempts_are_limited():
    assert next_delay(MAX_ATTEMPTS, FailureKind.TRANSIENT, None, 0.5) is None
