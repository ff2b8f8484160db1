"""What errors of Google's services mean: whether to send a request again, and their own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from parsl.providers.api.failure import Failure, FailureKind, without_page

#: What errors mean by their name: the reason in an answer, or the code in an operation.
_KINDS = {
    "rateLimitExceeded": FailureKind.THROTTLED,
    "userRateLimitExceeded": FailureKind.THROTTLED,
    "RATE_LIMIT_EXCEEDED": FailureKind.THROTTLED,
    "RESOURCE_OPERATION_RATE_EXCEEDED": FailureKind.THROTTLED,
    "quotaExceeded": FailureKind.QUOTA,
    "QUOTA_EXCEEDED": FailureKind.QUOTA,
    "QUOTA_FOR_INSTANCES": FailureKind.QUOTA,
    "RESOURCE_POOL_EXHAUSTED": FailureKind.CAPACITY,
    "ZONE_RESOURCE_POOL_EXHAUSTED": FailureKind.CAPACITY,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": FailureKind.CAPACITY,
    "resourcePoolExhausted": FailureKind.CAPACITY,
    "resourceNotReady": FailureKind.TRANSIENT,
    "INTERNAL_ERROR": FailureKind.TRANSIENT,
    "SERVICE_UNAVAILABLE": FailureKind.TRANSIENT,
    "PERMISSIONS_ERROR": FailureKind.DENIED,
}
_STATUSES = {
    401: FailureKind.DENIED,
    403: FailureKind.DENIED,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TRANSIENT,
    429: FailureKind.THROTTLED,
}
#: Names of errors that other requests have caused; see :func:`is_conflict`.
_CONFLICT = "alreadyExists"


def failure_of(error: Exception) -> Failure | None:
    """Return what an exception of the client library means; None if the service did not cause it."""
    from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
    from googleapiclient.errors import HttpError
    from httplib2 import HttpLib2Error

    if isinstance(error, HttpError):
        return answer_failure(error.resp.status, error.content, error.resp)
    if isinstance(error, RefreshError) and not getattr(error, "retryable", False):
        return Failure(FailureKind.DENIED, _words(error), "invalid credentials")
    if isinstance(error, (TransportError, HttpLib2Error, OSError)) or getattr(error, "retryable", False):
        return Failure(FailureKind.TRANSIENT, f"{type(error).__name__}: {error}")
    if isinstance(error, GoogleAuthError):
        return Failure(FailureKind.DENIED, _words(error), "invalid credentials")
    return None


def answer_failure(status: int, content: bytes, headers: Mapping[str, str]) -> Failure:
    """Return what the answer to a request means.

    Args:
        status: The status of HTTP, 400 or higher.
        content: The body, which should be JSON.
        headers: The headers, with names in lower case.
    """
    reason, message = _read(content)
    kind = _KINDS.get(reason) or _STATUSES.get(status)
    if kind is None:
        kind = FailureKind.TRANSIENT if status >= 500 else FailureKind.PERMANENT
    retry_after = headers.get("retry-after", "")
    retry_after_s = float(retry_after) if retry_after.isdecimal() else None
    return Failure(kind, message, f"{status} {reason}".strip(), retry_after_s, headers.get("date"))


def operation_failure(operation: Mapping[str, Any]) -> Failure | None:
    """Return why an operation has failed; None if it has not ended, or has succeeded."""
    errors = operation.get("error", {}).get("errors", [])
    if not errors:
        return None
    code = str(errors[0].get("code", ""))
    kind = _KINDS.get(code, FailureKind.PERMANENT)
    return Failure(kind, " ".join(str(one.get("message", one.get("code"))) for one in errors), code)


def is_conflict(failure: Failure) -> bool:
    """Return whether what a request would create exists already."""
    return failure.code.endswith(_CONFLICT)


def _read(content: bytes) -> tuple[str, str]:
    """Return the reason and the message in the body of an answer."""
    try:
        error = json.loads(content)["error"]
        details = error.get("errors") or [{}]
        return str(details[0].get("reason", error.get("status", ""))), str(error["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", without_page(content.decode(errors="replace").strip())[:500] or "an empty answer"


def _words(error: Exception) -> str:
    """Return the message of an error about credentials, whose second argument is the whole answer."""
    return str(error.args[0]) if error.args else type(error).__name__
