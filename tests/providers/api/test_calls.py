"""Requests are sent again while that makes sense, and errors contain the service's own words."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from parsl.providers.api.calls import Calls, pages
from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.api.rate_limit import TokenBucket


class SdkError(Exception):
    pass


class Time:
    """A clock that only sleeping advances."""

    def __init__(self):
        self.now_s = 1000.0
        self.slept = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds


def make_calls(time, kind=FailureKind.TRANSIENT, retry_after_s=None, server_date=None, **options):
    def classify(error):
        if isinstance(error, SdkError):
            return Failure(kind, str(error), "SomeCode", retry_after_s, server_date)
        return None

    options = {"clock": time, "sleep": time.sleep, "rng": lambda: 1.0, "now": lambda: 0.0, **options}
    return Calls("Service", classify, **options)


def failing(times, error=SdkError):
    left = [None] * times

    def request():
        if left:
            left.pop()
            raise error("in its own words")
        return "answer"

    return request


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("No route", "No route. Wait."),
        ("No route.\n", "No route. Wait."),
        ("No route (because)", "No route (because). Wait."),
    ],
)
def test_the_advice_is_a_sentence_of_its_own(message, shown):
    error = ServiceError("Service", "List", Failure(FailureKind.TRANSIENT, message), "Wait.")
    assert str(error) == f"Service: List failed: {shown}"


def test_a_transient_failure_is_retried():
    time = Time()
    assert make_calls(time).run("Describe", failing(3)) == "answer"
    assert time.slept == pytest.approx([0.2, 0.4, 0.8])


def test_the_deadline_ends_the_attempts():
    time = Time()
    with pytest.raises(ServiceError, match=r"Service: Describe failed \(4 attempts\): SomeCode: in its own"):
        make_calls(time, deadline_s=2.0).run("Describe", failing(100))
    assert time.now_s <= 1002.0


def test_a_permanent_failure_is_raised_at_once():
    time = Time()
    with pytest.raises(ServiceError) as caught:
        make_calls(time, FailureKind.PERMANENT).run("Create", failing(1))
    assert caught.value.kind is FailureKind.PERMANENT
    assert isinstance(caught.value.__cause__, SdkError)
    assert time.slept == []


def test_an_error_of_the_program_is_not_one_of_the_service():
    with pytest.raises(KeyError):
        make_calls(Time()).run("Create", failing(1, KeyError))


def test_the_service_chooses_the_delay():
    time = Time()
    assert make_calls(time, FailureKind.THROTTLED, retry_after_s=7.0).run("Create", failing(1)) == "answer"
    assert time.slept == [7.0]


def test_requests_are_limited():
    time = Time()
    calls = make_calls(time, limit=TokenBucket(rate=1.0, burst=1))
    for _ in range(3):
        calls.run("Create", failing(0))
    assert time.slept == [1.0, 1.0]


@pytest.mark.parametrize(("ahead_s", "words"), [(900, "15 minutes ahead of"), (-900, "15 minutes behind")])
def test_a_wrong_clock_is_explained(ahead_s, words):
    date = formatdate(50_000, usegmt=True)
    calls = make_calls(Time(), FailureKind.DENIED, server_date=date, now=lambda: 50_000 + ahead_s)
    with pytest.raises(ServiceError, match=f"The clock of this host is {words} the service's"):
        calls.run("Create", failing(1))


@pytest.mark.parametrize("date", [None, "no date", formatdate(50_000, usegmt=True)])
def test_a_right_clock_is_not_mentioned(date):
    calls = make_calls(Time(), FailureKind.DENIED, server_date=date, now=lambda: 50_010)
    with pytest.raises(ServiceError) as caught:
        calls.run("Create", failing(1))
    assert "clock" not in str(caught.value)


def test_all_pages_are_read():
    listing = {None: ([1, 2], "b"), "b": ([], "c"), "c": ([3], "")}
    assert list(pages(listing.__getitem__)) == [1, 2, 3]


def test_a_listing_without_end_is_an_error():
    with pytest.raises(RuntimeError, match="does not end"):
        list(pages(lambda token: ([1], "again")))


def test_a_pause_that_the_service_requests_may_exceed_the_deadline_once():
    time = Time()
    calls = make_calls(time, FailureKind.THROTTLED, retry_after_s=90.0, deadline_s=60.0)
    assert calls.run("Create", failing(1)) == "answer"
    with pytest.raises(ServiceError, match="2 attempts"):
        calls.run("Create", failing(2))
    assert time.slept == [90.0, 90.0]


def test_a_very_long_pause_is_not_made():
    time = Time()
    with pytest.raises(ServiceError):
        make_calls(time, FailureKind.THROTTLED, retry_after_s=3600.0).run("Create", failing(1))
    assert time.slept == []
