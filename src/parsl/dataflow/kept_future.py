"""The future of a task whose result has stayed in the engine of its executor."""

from __future__ import annotations

from types import MethodType

from parsl.dataflow.futures import AppFuture
from parsl.dataflow.taskrecord import TaskRecord
from parsl.vocabulary.kept_value import KeptValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from typing import Any, TypeVar

    from parsl.vocabulary.lean_future import Callbacks

    R = TypeVar("R")


class KeptAppFuture(AppFuture["R"]):
    """An AppFuture whose result is a KeptValue. When the value is fetched, it becomes a plain AppFuture.

    The kernel changes the class of an AppFuture before it completes it, so that plain futures pay nothing for
    this. Any thread may change it back at any time: methods of this class are called by the class's name.
    ``result()`` fetches the value. So do callbacks, which run when it is there; those of the kernel run
    at once, because a dependent task may not need the value here. ``exception()`` does not fetch: it is None
    for a task that has succeeded.
    """

    __slots__ = ()

    def result(self, timeout: float | None = None) -> R:
        """Return the result, and fetch it if necessary; ``timeout`` is in seconds, None for no limit."""
        kept: object = self._result
        if type(kept) is KeptValue:
            fetched = kept.fetch()
            fetched.exception(timeout)
            KeptAppFuture._open(self, fetched)
        return AppFuture.result(self, timeout)

    def open_then(self, function: Callable[[Future[Any]], object]) -> None:
        """Call ``function(self)`` when the value is here, without waiting for it."""
        kept: object = self._result

        def opened(fetched: Future[Any]) -> None:
            KeptAppFuture._open(self, fetched)
            function(self)

        if type(kept) is KeptValue:
            kept.fetch().add_done_callback(opened)
        else:
            function(self)

    def _open(self, fetched: Future[Any]) -> None:
        # Another thread may do the same at the same time.
        error = fetched.exception()
        if error is None:
            self._result = fetched.result()
        else:
            self._exception = error
        self.__class__ = AppFuture  # type: ignore[assignment]

    def _run_callbacks(self, callbacks: Callbacks) -> None:
        if type(callbacks) is list:
            for callback in callbacks:
                self._run_callbacks(callback)
        elif type(_owner(callbacks)) is TaskRecord:
            AppFuture._run_callbacks(self, callbacks)
        else:
            KeptAppFuture.open_then(self, lambda _: AppFuture._run_callbacks(self, callbacks))


def _owner(callback: Any) -> object:
    return callback.__self__ if type(callback) is MethodType else callback


def unopened(future: Future[Any]) -> Any:
    """Return the result of a future that is done, without fetching one that is kept elsewhere."""
    return future._result if type(future) is KeptAppFuture else future.result()


def kept_among(futures: Iterable[Future[Any]]) -> list[KeptAppFuture[Any]]:
    """Return those futures, all of which are done, whose results are not here."""
    return [future for future in futures if type(future) is KeptAppFuture]
