"""What a failed request to a service means, in terms that all services share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum

from parsl.vocabulary.findings import with_advice
from parsl.vocabulary.provider_errors import ExecutionProviderException

#: Services refuse signed requests when clocks differ by more than some minutes; see :func:`skew_advice`.
MAX_SKEW_S = 120.0
_PAGE = re.compile(r"<!doctype html|<html\b", re.IGNORECASE)
#: Scripts, style sheets, tags, and line breaks as ``repr`` shows them.
_NOT_WORDS = re.compile(r"<(script|style)\b.*?(</\1>|$)|<[^>]*(>|$)|\\[rnt]", re.IGNORECASE | re.DOTALL)
_MAX_PAGE_CHARS = 200


class FailureKind(Enum):
    """Why a request failed, as far as it matters for what to do next."""

    THROTTLED = "throttled"  #: too many requests: retried, later
    TRANSIENT = "transient"  #: a fault of the service or of the network: retried
    CAPACITY = "capacity"  #: the service has no such machine left: may work in some minutes
    QUOTA = "quota"  #: a limit of the account: may work when others need less
    NOT_FOUND = "not found"
    DENIED = "denied"  #: wrong credentials, no permission, or a wrong clock
    PERMANENT = "permanent"  #: the request itself is wrong

    @property
    def is_retried(self) -> bool:
        """Whether the same request may work within seconds."""
        return self in (FailureKind.THROTTLED, FailureKind.TRANSIENT)

    @property
    def is_lasting(self) -> bool:
        """Whether the same request fails until the user changes something."""
        return self in (FailureKind.NOT_FOUND, FailureKind.DENIED, FailureKind.PERMANENT)


def without_page(text: str) -> str:
    """Return a message with the words of a page of HTML, which a proxy may answer, instead of the page.

    Args:
        text: A message, which may contain a page, also as ``bytes`` are shown.
    """
    start = _PAGE.search(text)
    if start is None:
        return text
    page = _NOT_WORDS.sub(" ", text[start.start() :]).rstrip("'\" ")
    words = " ".join(page.split())
    shown = words if len(words) <= _MAX_PAGE_CHARS else f"{words[:_MAX_PAGE_CHARS]}..."
    before = text[: start.start()].rstrip().removesuffix("b'").removesuffix('b"').rstrip()
    return f"{before} a page of HTML: {shown}".lstrip()


@dataclass(frozen=True)
class Failure:
    """A failed request: an adapter makes one of an exception of its SDK."""

    kind: FailureKind
    message: str  #: in the service's own words, without pages of HTML
    code: str = ""  #: the service's name of the error, such as ``UnauthorizedOperation``
    retry_after_s: float | None = None  #: how long the service requests to wait
    server_date: str | None = None  #: the header ``Date`` of the answer

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", without_page(self.message))


#: Returns what an exception of an SDK means; None if it is not one of the service.
Classify = Callable[[Exception], "Failure | None"]


class ServiceError(ExecutionProviderException):
    """A service has refused a request, or has not answered it in time.

    Args:
        service: The name of the service.
        request: What was requested.
        failure: What the service has answered.
        advice: What the user can do; may be empty.
        attempts: How many times the request was sent.
    """

    def __init__(self, service: str, request: str, failure: Failure, advice: str = "", attempts: int = 1):
        super().__init__(service, request, failure, advice, attempts)
        self.service = service
        self.request = request
        self.failure = failure
        self.advice = advice
        self.attempts = attempts

    @property
    def kind(self) -> FailureKind:
        return self.failure.kind

    def __str__(self) -> str:
        code = f"{self.failure.code}: " if self.failure.code else ""
        times = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        text = f"{self.service}: {self.request} failed{times}: {code}{self.failure.message}"
        return with_advice(text, self.advice)


def skew_advice(failure: Failure, now_s: float) -> str:
    """Return advice if the clock of this host explains why a service denies a request; otherwise nothing.

    Args:
        failure: The answer, with the service's time.
        now_s: The time of this host, in seconds since the epoch.
    """
    if failure.kind is not FailureKind.DENIED or failure.server_date is None:
        return ""
    try:
        ahead_s = now_s - parsedate_to_datetime(failure.server_date).timestamp()
    except (TypeError, ValueError):
        return ""
    if abs(ahead_s) <= MAX_SKEW_S:
        return ""
    direction = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"The clock of this host is {abs(ahead_s) / 60:.0f} minutes {direction} the service's "
        f"({failure.server_date}), and signed requests are only valid for some minutes: set the clock."
    )
