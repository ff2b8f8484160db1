"""What the exceptions of Azure's client libraries mean, and what the user can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsl.providers.api.failure import Failure, FailureKind

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

_THROTTLED = 429
_TRANSIENT_STATUSES = frozenset({408, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset(
    {
        "AnotherOperationInProgress",
        "OperationPreempted",
        "ReferencedResourceNotProvisioned",
        "RetryableError",
    }
)
#: Codes of machines for which there is no room at the moment.
_CAPACITY_CODES = frozenset(
    {
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "SkuNotAvailable",
        "ZonalAllocationFailed",
    }
)
#: Words about a login that was neither refused nor granted: the network, or the login service, is at fault.
_UNREACHABLE = (
    "Failed to resolve",
    "Failed to establish a new connection",
    "Max retries exceeded",
    "Connection aborted",
    "Connection refused",
    "Connection reset",
    "Network is unreachable",
    "timed out",
    "AADSTS90006",
    "AADSTS90033",
)
#: A credential with which no login was attempted.
_NOT_TRIED = "unavailable"
_CHAIN = "DefaultAzureCredential failed"
#: What to do about an error, by a part of its code or message.
_ADVICE = {
    "AADSTS7000215": "Write the value of a valid client secret into the key file.",
    "AADSTS7000222": "The client secret has expired: make a new one with 'az ad app credential reset'.",
    "AADSTS700016": "Check AZURE_CLIENT_ID and AZURE_TENANT_ID.",
    "AADSTS90002": "Check AZURE_TENANT_ID: 'az account show --query tenantId'.",
    "Unable to get authority configuration": "Check AZURE_TENANT_ID: 'az account show --query tenantId'.",
    _CHAIN: "Log in with 'az login', or pass key_file.",
    "SubscriptionNotFound": "Check the subscription and its tenant: 'az account list --output table'.",
    "InvalidSubscriptionId": "Check AZURE_SUBSCRIPTION_ID: 'az account list --output table'.",
    "AuthorizationFailed": "Request a role such as 'Virtual Machine Contributor' for the resource group.",
    "PlatformImageNotFound": "List the images of the location with 'az vm image list --all --publisher ...'.",
    "VMImage was not found": "List the images of the location with 'az vm image list --all --publisher ...'.",
    "LocationNotAvailable": "List the locations with 'az account list-locations --query [].name'.",
    "NoRegisteredProviderFound": "List the locations with 'az account list-locations --query [].name'.",
    "quota": "Request a higher quota in the portal under 'Quotas', or lower max_blocks.",
    "SkuNotAvailable": "Choose another vm_size or location: 'az vm list-skus --location ... --size ...'.",
    "MarketplacePurchaseEligibilityFailed": "Accept the terms of the image: 'az vm image terms accept'.",
    "VMMarketplaceInvalidInput": "The image has a purchase plan: pass it as vm_reference['plan'].",
}


def classify(error: Exception) -> Failure | None:
    """Return what an exception means; None if the service has not raised it."""
    from azure.core import exceptions

    no_answer = (exceptions.ServiceRequestError, exceptions.ServiceResponseError)
    if isinstance(error, no_answer) or isinstance(error.__cause__, no_answer):  # a login has a cause
        return Failure(FailureKind.TRANSIENT, str(error), type(error).__name__)
    if isinstance(error, exceptions.HttpResponseError):
        return _of_response(error)
    return None


def advice(text: str) -> str:
    """Return what the user can do about an error; nothing if that is unknown.

    Args:
        text: The code of the error, or its code and message.
    """
    if is_unreachable(text):
        return "Check the network of this host, its name service, and its proxy (HTTPS_PROXY)."
    return next((words for mark, words in _ADVICE.items() if mark in text), "")


def is_unreachable(text: str) -> bool:
    """Return whether a message about a login or a request is about a service that gave no answer."""
    lines = [line for line in text.splitlines() if _NOT_TRIED not in line]
    return any(mark in line for line in lines for mark in _UNREACHABLE)


def _of_response(error: HttpResponseError) -> Failure:
    code = (error.error.code if error.error is not None else None) or ""
    message = (error.error.message if error.error is not None else None) or error.message
    headers = error.response.headers if error.response is not None else {}
    kind = kind_of(error.status_code, code, message)
    return Failure(kind, concise(message), code, _seconds(headers.get("Retry-After")), headers.get("Date"))


def kind_of(status: int | None, code: str, message: str) -> FailureKind:
    """Classify an answer of the service.

    Args:
        status: The status of HTTP; None if there was no request, as there is no credential or no login.
        code: The service's name of the error.
        message: The service's words.
    """
    if status is None:
        return FailureKind.TRANSIENT if is_unreachable(message) else FailureKind.DENIED
    if status == _THROTTLED:
        return FailureKind.THROTTLED
    if status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES:
        return FailureKind.TRANSIENT
    if code in _CAPACITY_CODES:
        return FailureKind.CAPACITY
    if code == "QuotaExceeded" or (code == "OperationNotAllowed" and "quota" in message):
        return FailureKind.QUOTA
    if status in (401, 403) or "AADSTS" in message:
        return FailureKind.DENIED
    return FailureKind.NOT_FOUND if status == 404 else FailureKind.PERMANENT


def concise(message: str) -> str:
    """Return a message about credentials without those that do not exist, and without troubleshooting links.

    Args:
        message: The message; any but that of a chain of credentials is returned as it is.
    """
    if not message.startswith(_CHAIN):
        return message
    first, *lines = message.splitlines()
    attempts = [line.strip() for line in lines if ": Authentication failed" in line]
    return " ".join([first, *attempts])


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
