"""The calls of this run: which are done, and which are under way."""

from __future__ import annotations

import threading

from parsl.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: The result of a future that :meth:`MemoTable.claim` gave, when its call ended without one to share.
START_OVER = object()


class MemoTable:
    """Gives each call to one task, and its outcome to the others. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, Any] = {}
        self._exceptions: dict[str, BaseException] = {}
        #: The tasks that execute calls, and for some of these a future that others wait for.
        self._owners: dict[str, TaskRecord] = {}
        self._shared: dict[str, LeanFuture[Any]] = {}

    def claim(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Ask for the outcome of a call.

        Returns:
            A future of it, done or not; it may turn out to be :data:`START_OVER`. None if the call is now,
            or was already, this task's to execute.
        """
        with self._lock:
            if hashsum in self._results:
                return _done(self._results[hashsum], None)
            if hashsum in self._exceptions:
                return _done(None, self._exceptions[hashsum])
            owner = self._owners.setdefault(hashsum, task)
            if owner is task:
                return None
            shared = self._shared.get(hashsum)
            if shared is None:
                shared = self._shared[hashsum] = LeanFuture()
            return shared

    def put(self, hashsum: str, result: Any) -> LeanFuture[Any] | None:
        """Note the result of a call. Returns the future that other tasks wait for, if any do."""
        with self._lock:
            self._results[hashsum] = result
            return self._take_shared(hashsum)

    def put_exception(self, hashsum: str, error: BaseException) -> LeanFuture[Any] | None:
        """Note that a call raises; returns as :meth:`put` does."""
        with self._lock:
            if hashsum not in self._results:
                self._exceptions[hashsum] = error
            return self._take_shared(hashsum)

    def release(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Note that a task has ended without an outcome to share; returns as :meth:`put` does."""
        with self._lock:
            if self._owners.get(hashsum) is not task:
                return None
            return self._take_shared(hashsum)

    def _take_shared(self, hashsum: str) -> LeanFuture[Any] | None:
        self._owners.pop(hashsum, None)
        return self._shared.pop(hashsum, None) if self._shared else None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {len(self._results)} results, {len(self._exceptions)} exceptions, "
            f"{len(self._owners)} in flight>"
        )


def _done(result: Any, error: BaseException | None) -> LeanFuture[Any]:
    future: LeanFuture[Any] = LeanFuture()
    future._finish("FINISHED", result, error)
    return future
