"""Errors of staging.

::

    ParslError
    └── StagingError                    a file cannot be moved to where it is needed
        ├── CannotStage                 no staging provider can move the file; also a ValueError
        ├── TransferError               a transfer failed
        └── ZipAuthorityError           (parsl.data_provider.zip) a zip: URL names a host
"""

from __future__ import annotations

from parsl.errors import ParslError


class StagingError(ParslError):
    """A file cannot be moved to where it is needed."""


class CannotStage(StagingError, ValueError):
    """None of an executor's staging providers can move the file."""


class TransferError(StagingError):
    """A transfer failed. Retry it if the server may come back: see ``retries``.

    Args:
        source: The file to copy. Passwords in URLs are masked.
        destination: Where to copy it.
        reason: What went wrong, and what to do about it.
    """

    def __init__(self, source: str, destination: str, reason: str) -> None:
        self.source = without_password(source)
        self.destination = without_password(destination)
        self.reason = reason
        super().__init__(self.source, self.destination, reason)

    def __str__(self) -> str:
        return f"{self.source} could not be copied to {self.destination}: {self.reason}"


def without_password(url: str) -> str:
    """Return a URL with its password masked."""
    scheme, separator, rest = url.partition("://")
    login, at, host_and_path = rest.rpartition("@")
    if not separator or not at or "/" in login or ":" not in login:
        return url
    return f"{scheme}://{login.partition(':')[0]}:***@{host_and_path}"
