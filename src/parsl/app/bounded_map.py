"""Calls of an app for any number of items, with a limited number of calls under way."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, Future
from operator import methodcaller
from queue import SimpleQueue

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    R = TypeVar("R")

#: Enough to keep a few thousand workers busy with tasks of a second, in some 30 MB.
DEFAULT_WINDOW = 10_000


def bounded_map(
    app: Callable[..., Future[R]],
    iterable: Iterable[Any],
    *more: Iterable[Any],
    window: int = DEFAULT_WINDOW,
    ordered: bool = True,
    return_exceptions: bool = False,
) -> Generator[R, None, None]:
    """Call an app for each item, keeping a limited number of calls under way; ``parsl.map``.

    Items are consumed, and tasks submitted, only as the caller takes results: the iterables can be generators
    of any length, and a run of 10^8 tasks needs no more memory than one of 10^4. ::

        for result in parsl.map(simulate, parameters(), window=50_000):
            ...

    Args:
        app: The app, or any other function that returns a future. For constant further arguments, use
            ``functools.partial(app, key=value)``.
        iterable: The first arguments of the calls.
        more: The further arguments. The shortest iterable determines the number of calls.
        window: The maximum number of calls whose results the caller has not taken yet. It should be a few
            times the number of workers.
        ordered: Whether results come in the order of the items; otherwise as they are completed, so that a
            slow task delays no other result.
        return_exceptions: Whether the exception of a failed task takes the place of its result. Otherwise
            the iterator raises the first exception and ends.

    Returns:
        An iterator over the results. If it ends early, by an exception, by ``close()``, or by its deletion,
        it cancels the calls under way.

    Raises:
        ParameterError: An argument is wrong.
    """
    validate.callable_("map", "app", app)
    for position, each in enumerate((iterable, *more)):
        if not hasattr(each, "__iter__"):
            validate.wrong_type("map", f"iterable {position}", each, "something that can be iterated over")
    window = validate.integer("map", "window", window, low=1)
    validate.boolean("map", "ordered", ordered)
    validate.boolean("map", "return_exceptions", return_exceptions)
    calls = (_call(app, args) for args in zip(iterable, *more, strict=False))
    outcome: Callable[[Future[R]], R] = _outcome if return_exceptions else methodcaller("result")
    return (_in_order if ordered else _as_completed)(calls, window, outcome)


def _call(app: Callable[..., Future[R]], args: Sequence[Any]) -> Future[R]:
    call: Any = app(*args)
    if not callable(getattr(call, "add_done_callback", None)):
        raise validate.ParameterTypeError(
            f"map: app is {app!r}, which has returned {call!r} ({type(call).__name__}) instead of a future; "
            "expected an app. Decorate the function with @python_app"
        )
    return call  # type: ignore[no-any-return]


def _in_order(
    calls: Iterator[Future[R]], window: int, outcome: Callable[[Future[R]], R]
) -> Generator[R, None, None]:
    under_way: deque[Future[R]] = deque()
    try:
        for call in calls:
            under_way.append(call)
            del call
            while under_way and (len(under_way) >= window or under_way[0].done()):
                yield outcome(under_way.popleft())
        while under_way:
            yield outcome(under_way.popleft())
    finally:
        _cancel(under_way)


def _as_completed(
    calls: Iterator[Future[R]], window: int, outcome: Callable[[Future[R]], R]
) -> Generator[R, None, None]:
    under_way: set[Future[R]] = set()
    completed: SimpleQueue[Future[R]] = SimpleQueue()

    def next_one() -> Future[R]:
        call = completed.get()
        under_way.discard(call)
        return call

    try:
        for call in calls:
            under_way.add(call)
            call.add_done_callback(completed.put)
            del call
            while len(under_way) >= window or not completed.empty():
                yield outcome(next_one())
        while under_way:
            yield outcome(next_one())
    finally:
        _cancel(under_way)


def _outcome(call: Future[Any]) -> Any:
    try:
        error = call.exception()
    except CancelledError as cancelled:
        return cancelled
    return call.result() if error is None else error


def _cancel(calls: Iterable[Future[Any]]) -> None:
    for call in list(calls):
        call.cancel()
