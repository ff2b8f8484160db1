"""Sends several requests at once, also while the interpreter exits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")

_MAX_THREADS = 8


def at_once(request: Callable[[ItemT], object], items: Sequence[ItemT]) -> None:
    """Call a function for each item, several at a time, and return when all calls have returned.

    An interpreter that is exiting starts no threads; the rest is then called here, one after the other.

    Args:
        request: Called once for each item, from any thread.
        items: The items.

    Raises:
        Exception: What the first call that failed has raised; all others were made as well.
    """
    started: list[Future[object]] = []
    errors: list[BaseException | None] = []
    if len(items) > 1:
        with ThreadPoolExecutor(min(_MAX_THREADS, len(items))) as threads:
            try:
                started.extend(threads.submit(request, item) for item in items)
            except RuntimeError:
                pass
        errors = [future.exception() for future in started]
    for item in items[len(started) :]:
        try:
            request(item)
        except Exception as error:
            errors.append(error)
    for raised in errors:
        if raised is not None:
            raise raised
