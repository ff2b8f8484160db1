"""What errors of the service mean."""

from __future__ import annotations

import json

import pytest
from google.auth.exceptions import RefreshError, TransportError
from httplib2 import ServerNotFoundError

from parsl.providers.api.failure import FailureKind
from parsl.providers.googlecloud.failures import answer_failure, failure_of, is_conflict, operation_failure


def content(message, **detail):
    return json.dumps({"error": {"code": 403, "message": message, "errors": [detail]}}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "rateLimitExceeded", FailureKind.THROTTLED),
        (403, "userRateLimitExceeded", FailureKind.THROTTLED),
        (429, "anything", FailureKind.THROTTLED),
        (403, "quotaExceeded", FailureKind.QUOTA),
        (403, "forbidden", FailureKind.DENIED),
        (403, "accessNotConfigured", FailureKind.DENIED),
        (401, "authError", FailureKind.DENIED),
        (404, "notFound", FailureKind.NOT_FOUND),
        (400, "invalid", FailureKind.PERMANENT),
        (400, "resourceNotReady", FailureKind.TRANSIENT),
        (409, "alreadyExists", FailureKind.PERMANENT),
        (500, "backendError", FailureKind.TRANSIENT),
        (503, "backendError", FailureKind.TRANSIENT),
        (503, "ZONE_RESOURCE_POOL_EXHAUSTED", FailureKind.CAPACITY),
    ],
)
def test_the_kind_follows_from_the_reason_or_else_from_the_status(status, reason, kind):
    failure = answer_failure(status, content("its own words", reason=reason), {})
    assert (failure.kind, failure.message) == (kind, "its own words")
    assert failure.code == f"{status} {reason}"


def test_the_service_can_request_a_pause_and_shows_its_clock():
    date = "Sun, 29 Nov 2026 12:00:00 GMT"
    failure = answer_failure(429, b"{}", {"retry-after": "7", "date": date})
    assert (failure.retry_after_s, failure.server_date) == (7.0, date)
    assert answer_failure(429, b"{}", {"retry-after": "Sun, 29 Nov 2026"}).retry_after_s is None


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"<html>Bad Gateway</html>", "a page of HTML: Bad Gateway"), (b"", "an empty answer"), (b"[1]", "[1]")],
)
def test_an_answer_that_is_not_of_the_service_is_shown(body, message):
    failure = answer_failure(502, body, {})
    assert (failure.kind, failure.message, failure.code) == (FailureKind.TRANSIENT, message, "502")


def test_only_what_exists_already_is_a_conflict():
    assert is_conflict(answer_failure(409, content("it exists", reason="alreadyExists"), {}))
    assert not is_conflict(answer_failure(409, content("no", reason="resourceInUseByAnotherResource"), {}))


def test_an_operation_fails_with_the_words_of_its_errors():
    errors = [{"code": "QUOTA_EXCEEDED", "message": "Quota 'CPUS' exceeded."}]
    failure = operation_failure({"status": "DONE", "error": {"errors": errors}})
    assert (failure.kind, failure.message) == (FailureKind.QUOTA, "Quota 'CPUS' exceeded.")
    full = operation_failure({"error": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED"}]}})
    assert (full.kind, full.message) == (FailureKind.CAPACITY, "ZONE_RESOURCE_POOL_EXHAUSTED")
    assert operation_failure({"status": "RUNNING"}) is None


def test_invalid_credentials_are_not_tried_again_and_networks_are():
    refused = RefreshError("invalid_grant: Invalid JWT Signature.", {"error": "invalid_grant"})
    failure = failure_of(refused)
    assert (failure.kind, failure.message) == (
        FailureKind.DENIED,
        "invalid_grant: Invalid JWT Signature.",
    )
    transient = [
        RefreshError("the token service is busy", retryable=True),
        TransportError("no route"),
        ServerNotFoundError("no such host"),
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
    ]
    assert {failure_of(error).kind for error in transient} == {FailureKind.TRANSIENT}


def test_defects_are_not_failures_of_the_service():
    assert failure_of(KeyError("x")) is None
