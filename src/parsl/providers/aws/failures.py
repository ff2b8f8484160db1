"""What the exceptions of boto3 mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsl.providers.api.failure import Failure, FailureKind

_K = FailureKind
#: The codes whose meaning neither their name nor the HTTP status shows.
CODES = {
    "AuthFailure": _K.DENIED,
    "Blocked": _K.DENIED,
    "ExpiredToken": _K.DENIED,
    "InvalidClientTokenId": _K.DENIED,
    "OptInRequired": _K.DENIED,
    "PendingVerification": _K.DENIED,
    "RequestExpired": _K.DENIED,
    "SignatureDoesNotMatch": _K.DENIED,
    "UnauthorizedOperation": _K.DENIED,
    "UnrecognizedClientException": _K.DENIED,
    "InsufficientHostCapacity": _K.CAPACITY,
    "InsufficientInstanceCapacity": _K.CAPACITY,
    "InsufficientCapacity": _K.CAPACITY,
    "SpotMaxPriceTooLow": _K.CAPACITY,
    "InstanceLimitExceeded": _K.QUOTA,
    "InsufficientFreeAddressesInSubnet": _K.QUOTA,
    "MaxSpotInstanceCountExceeded": _K.QUOTA,
    "VcpuLimitExceeded": _K.QUOTA,
    "VolumeLimitExceeded": _K.QUOTA,
    "RequestLimitExceeded": _K.THROTTLED,
    "TooManyRequestsException": _K.THROTTLED,
    "InternalError": _K.TRANSIENT,
    "RequestTimeout": _K.TRANSIENT,
    "Unavailable": _K.TRANSIENT,
}
_HTTP_TOO_MANY, _HTTP_SERVER_ERROR = 429, 500
_HTTP_DENIED = (401, 403)


def classify(error: Exception) -> Failure | None:
    """Return what an exception means; None if it is not one of boto3."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.ClientError):
        return of_answer(error.response)
    if isinstance(error, _credential_errors(exceptions)):
        return Failure(_K.DENIED, str(error), type(error).__name__)
    # What a proxy answers in the name of the service cannot be parsed.
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, ResponseParserError)):
        return Failure(_K.TRANSIENT, str(error), type(error).__name__)
    if isinstance(error, exceptions.BotoCoreError):
        return Failure(_K.PERMANENT, str(error), type(error).__name__)
    return None


def _credential_errors(exceptions: Any) -> tuple[type[Exception], ...]:
    return (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
    )


def of_answer(response: Mapping[str, Any]) -> Failure:
    """Return what an error in the service's answer means."""
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    headers = metadata.get("HTTPHeaders", {})
    code = str(error.get("Code", ""))
    retry_after = str(headers.get("retry-after", ""))
    return Failure(
        kind_of(code, int(metadata.get("HTTPStatusCode", 0))),
        str(error.get("Message", "")),
        code,
        float(retry_after) if retry_after.isdecimal() else None,
        headers.get("date"),
    )


def kind_of(code: str, http_status: int) -> FailureKind:
    """Return the kind of an error by its code or, if that is not known, by the HTTP status."""
    if (kind := CODES.get(code)) is not None:
        return kind
    if "Throttl" in code or http_status == _HTTP_TOO_MANY:
        return _K.THROTTLED
    if code.endswith((".NotFound", "NotFoundException")):
        return _K.NOT_FOUND
    if "AccessDenied" in code or http_status in _HTTP_DENIED:
        return _K.DENIED
    return _K.TRANSIENT if http_status >= _HTTP_SERVER_ERROR else _K.PERMANENT
