"""Sends requests to a service: again after a failure that may pass, and not too many at once."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from parsl.providers.api.backoff import next_delay
from parsl.providers.api.failure import Classify, ServiceError, skew_advice
from parsl.providers.api.rate_limit import TokenBucket

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")

#: A pause that the service requests is made if it is no longer than this, even if the time is up after it;
#: then one more attempt follows (seconds).
MAX_REQUESTED_PAUSE_S = 120.0


class Calls:
    """Runs requests to one service, in the caller's thread. May be used from any thread.

    An SDK's own retries should be off: otherwise each attempt here is several.

    Args:
        service: The name of the service, for messages.
        classify: Returns what an exception of the SDK means.
        limit: Limits the rate of requests; None for no limit.
        deadline_s: How long a request may take with all its attempts, in seconds. A pause that the service
            requests may take longer.
        clock: Returns seconds on a monotonic clock.
        sleep: Waits for a number of seconds.
        rng: Returns a random number from 0 to 1.
        now: Returns the time of this host, in seconds since the epoch.
    """

    def __init__(
        self,
        service: str,
        classify: Classify,
        *,
        limit: TokenBucket | None = None,
        deadline_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self._classify = classify
        self._limit = limit
        self._deadline_s = deadline_s
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._now = now
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Calls {self.service} limit={self._limit}>"

    def run(self, name: str, request: Callable[[], AnswerT], *, deadline_s: float | None = None) -> AnswerT:
        """Send a request, and again while the failure may pass and the time is not up.

        Args:
            name: What is requested, for messages: ``RunInstances``.
            request: Sends the request once. Sent twice, it must do no harm.
            deadline_s: How long all attempts may take, in seconds; by default, that of the constructor.

        Returns:
            The result of ``request``.

        Raises:
            ServiceError: The service has refused the request, or has not answered it in time.
        """
        end_s = self._clock() + (self._deadline_s if deadline_s is None else deadline_s)
        attempt = 0
        while True:
            attempt += 1
            self._wait_for_turn()
            try:
                return request()
            except Exception as error:
                delay_s = self._delay_or_raise(name, error, attempt, end_s)
            self._sleep(delay_s)

    def _delay_or_raise(self, name: str, error: Exception, attempt: int, end_s: float) -> float:
        failure = self._classify(error)
        if failure is None:
            raise error
        delay_s = next_delay(attempt, failure.kind, failure.retry_after_s, self._rng())
        if delay_s is None or self._is_too_long(delay_s, failure.retry_after_s, end_s):
            advice = skew_advice(failure, self._now())
            raise ServiceError(self.service, name, failure, advice, attempt) from error
        logger.debug("%s: %s: attempt %d in %.1f s: %s", self.service, name, attempt + 1, delay_s, failure)
        return delay_s

    def _is_too_long(self, delay_s: float, requested_s: float | None, end_s: float) -> bool:
        now_s = self._clock()
        if requested_s is not None and now_s <= end_s:
            return delay_s > max(MAX_REQUESTED_PAUSE_S, end_s - now_s)
        return now_s + delay_s > end_s

    def _wait_for_turn(self) -> None:
        if self._limit is None:
            return
        with self._lock:
            delay_s = self._limit.take(self._clock())
        if delay_s:
            self._sleep(delay_s)


def pages(fetch: Callable[[str | None], tuple[Iterable[ItemT], str | None]]) -> Iterator[ItemT]:
    """Yield the items of all pages of a listing.

    Args:
        fetch: Called with the token of a page, None for the first one; returns the items of the page, and
            the token of the next page: None or empty if there is none.

    Raises:
        RuntimeError: The service returns the same page again and again.
    """
    token: str | None = None
    while True:
        items, following = fetch(token)
        yield from items
        if not following:
            return
        if following == token:
            raise RuntimeError(f"a listing does not end: the page after {token!r} is itself")
        token = following
