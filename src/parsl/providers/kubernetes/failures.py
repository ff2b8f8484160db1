"""What the exceptions of the Kubernetes client mean, with the API server's own words."""

from __future__ import annotations

import json
import sys
from typing import Any

from parsl.providers.api.failure import Failure, FailureKind, ServiceError, without_page

_KINDS = {
    401: FailureKind.DENIED,
    403: FailureKind.DENIED,
    404: FailureKind.NOT_FOUND,
    410: FailureKind.TRANSIENT,
    429: FailureKind.THROTTLED,
}
_QUOTA = "exceeded quota"
_MAX_SHOWN_CHARS = 200
_ADVICE = {
    "Unauthorized": "The credentials are missing or have expired: log in again; `kubectl auth whoami` "
    "names the user.",
    "Forbidden": "The rights that Parsl needs are in examples/kubernetes/rights.yaml; `kubectl auth can-i "
    "--list` shows yours.",
    "CertificateError": "Is the server of the kubeconfig the right one, and is its `certificate-authority` "
    "that of the cluster? `kubectl cluster-info` shows whether kubectl trusts it.",
    "SSLError": "Does the server of the kubeconfig speak TLS? Its URL may have to begin with http://.",
}
#: What is wrong with a connection that works at the next attempt.
_ABORTED = ("EOF occurred", "UNEXPECTED_EOF")


def classify(error: Exception) -> Failure | None:
    """Return what an exception of the client means; None if it is not about the service."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError, SSLError

    if isinstance(error, ApiException):
        if not error.status:
            return _of_connection(str(error.reason))
        return _of_answer(error.status, error.reason, error.body, error.headers)
    if failure := _of_model(error):
        return failure
    cause = getattr(error, "reason", None)
    if isinstance(error, SSLError) or isinstance(cause, SSLError):
        return _of_tls(str(error))
    if isinstance(error, (HTTPError, OSError)):
        return Failure(FailureKind.TRANSIENT, str(error), type(error).__name__)
    return None


def _of_model(error: Exception) -> Failure | None:
    """Return what it means that the client library itself refuses an object; older versions check none."""
    library = sys.modules.get("pydantic_core")
    if library is None or not isinstance(error, library.ValidationError):
        return None
    listed = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    words = "the client library, of which a newer version may know more fields, does not accept "
    return Failure(FailureKind.PERMANENT, words + "; ".join(listed), "Invalid")


def _of_connection(reason: str) -> Failure:
    """Return what it means that there is no answer; the first line of the reason is the name of the error."""
    name, _, text = reason.partition("\n")
    if name == "SSLError":
        return _of_tls(text)
    return Failure(FailureKind.TRANSIENT, text or name, name)


def _of_tls(message: str) -> Failure:
    if any(text in message for text in _ABORTED):
        return Failure(FailureKind.TRANSIENT, message, "SSLError")
    is_untrusted = "CERTIFICATE" in message.upper()
    return Failure(FailureKind.DENIED, message, "CertificateError" if is_untrusted else "SSLError")


def _of_answer(status: int, reason: Any, body: Any, headers: Any) -> Failure:
    answer = _parsed(body)
    message = str(answer.get("message") or _shown(body) or reason or f"HTTP status {status}")
    code = str(answer.get("reason") or reason or status)
    headers = {str(name).lower(): value for name, value in dict(headers or {}).items()}
    kind = _kind(status, message, code)
    retry_after_s = (answer.get("details") or {}).get("retryAfterSeconds") or headers.get("retry-after")
    return Failure(kind, message, code, _seconds(retry_after_s), headers.get("date"))


def _kind(status: int, message: str, code: str) -> FailureKind:
    if status == 403 and _QUOTA in message:
        return FailureKind.QUOTA
    if status >= 500 or (status == 409 and code == "Conflict"):
        return FailureKind.TRANSIENT
    return _KINDS.get(status, FailureKind.PERMANENT)


def _parsed(body: Any) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (TypeError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _shown(body: Any) -> str:
    """Return the beginning of an answer that is not the API server's: a page of a proxy, for example."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    text = " ".join(without_page(text).split())
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def is_existing(error: ServiceError) -> bool:
    """Return whether a request failed because the object exists already."""
    return error.failure.code == "AlreadyExists"


def is_missing(error: ServiceError) -> bool:
    """Return whether a request failed because the object does not exist."""
    return error.kind is FailureKind.NOT_FOUND


def advice_about(error: ServiceError, namespace: str) -> str:
    """Return what a user can do about a failure; empty if the message suffices."""
    if error.kind is FailureKind.QUOTA:
        shows = f"`kubectl -n {namespace} describe quota` shows the limit"
        return f"{shows}: ask an administrator for more, or lower max_blocks."
    if is_missing(error) and "namespaces" in error.failure.message:
        return f"Create it with `kubectl create namespace {namespace}`, or write namespace=..."
    if error.kind is FailureKind.TRANSIENT:
        return "Is the cluster reachable from here? `kubectl cluster-info` shows that."
    return _ADVICE.get(error.failure.code, "")
