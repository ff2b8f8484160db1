"""The calls of this run: which are done, and which are under way."""

from __future__ import annotations

import threading

from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: The result of a future that :meth:`MemoTable.claim` gave, when its call ended without one to share.
START_OVER = object()


class MemoTable:
    """Gives each call to one task, and its outcome to the others. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: For each call the task that executes it, or its outcome: a result and an exception.
        self._calls: dict[str, TaskRecord | tuple[Any, BaseException | None]] = {}
        #: For some of the calls that are executing, what other tasks wait for.
        self._shared: dict[str, LeanFuture[Any]] = {}

    def claim(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Ask for the outcome of a call.

        Returns:
            A future of it, done or not; it may turn out to be :data:`START_OVER`. None if the call is now,
            or was already, this task's to execute.
        """
        call = self._calls.setdefault(hashsum, task)  # atomic
        if call is task:
            return None
        if type(call) is tuple:
            return _done(*call)
        with self._lock:
            call = self._calls.setdefault(hashsum, task)  # it may have come to an end meanwhile
            if call is task:
                return None
            if type(call) is tuple:
                return _done(*call)
            shared = self._shared.get(hashsum)
            if shared is None:
                shared = self._shared[hashsum] = LeanFuture()
            return shared

    def put(self, hashsum: str, result: Any) -> LeanFuture[Any] | None:
        """Note the result of a call. Returns the future that other tasks wait for, if any do."""
        with self._lock:
            self._calls[hashsum] = (result, None)
            return self._shared.pop(hashsum, None) if self._shared else None

    def put_all(self, ended: Sequence[tuple[TaskRecord, Any]]) -> list[tuple[LeanFuture[Any], Any]]:
        """Note the results of tasks. Returns the futures that others wait for, with their results."""
        calls, shared = self._calls, self._shared
        waiting = []
        with self._lock:
            for task, result in ended:
                calls[task.hashsum] = (result, None)  # type: ignore[index]
            if shared:
                for task, result in ended:
                    future = shared.pop(task.hashsum, None)  # type: ignore[arg-type]
                    if future is not None:
                        waiting.append((future, result))
        return waiting

    def put_exception(self, hashsum: str, error: BaseException) -> LeanFuture[Any] | None:
        """Note that a call raises; returns as :meth:`put` does."""
        with self._lock:
            self._calls[hashsum] = (None, error)
            return self._shared.pop(hashsum, None)

    def release(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Note that a task has ended without an outcome to share; returns as :meth:`put` does."""
        with self._lock:
            if self._calls.get(hashsum) is not task:
                return None
            del self._calls[hashsum]
            return self._shared.pop(hashsum, None)

    def __repr__(self) -> str:
        with self._lock:
            done = [call for call in self._calls.values() if type(call) is tuple]
        failed = sum(1 for _, error in done if error is not None)
        return (
            f"<{type(self).__name__} {len(done) - failed} results, {failed} exceptions, "
            f"{len(self._calls) - len(done)} in flight>"
        )


def _done(result: Any, error: BaseException | None) -> LeanFuture[Any]:
    future: LeanFuture[Any] = LeanFuture()
    future._finish("FINISHED", result, error)
    return future
