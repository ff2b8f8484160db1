"""Sends several requests at once, also while the interpreter exits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")

_MAX_THREADS = 8


def at_once(request: Callable[[ItemT], AnswerT], items: Sequence[ItemT]) -> list[AnswerT]:
    """Call a function for each item, several at a time, and return when all calls have returned.

    An interpreter that is exiting starts no threads; the rest is then called here, one after the other.

    Args:
        request: Called once for each item, from any thread.
        items: The items.

    Returns:
        What the calls have returned, in the order of the items.

    Raises:
        Exception: What the first call that failed has raised; all others were made as well.
    """
    calls: list[Future[AnswerT]] = []
    if len(items) > 1:
        with ThreadPoolExecutor(min(_MAX_THREADS, len(items))) as threads:
            try:
                calls.extend(threads.submit(request, item) for item in items)
            except RuntimeError:
                pass
    calls += [_called(request, item) for item in items[len(calls) :]]
    return [call.result() for call in calls]


def _called(request: Callable[[ItemT], AnswerT], item: ItemT) -> Future[AnswerT]:
    """Call a function; return its answer, or its error, as that of a thread."""
    call: Future[AnswerT] = Future()
    try:
        call.set_result(request(item))
    except Exception as error:
        call.set_exception(error)
    return call
