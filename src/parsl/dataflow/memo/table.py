"""The calls of this run: the completed ones, and those under way."""

from __future__ import annotations

import threading

from parsl.vocabulary.lean_future import LeanFuture, done_future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: The result of a future from :meth:`MemoTable.claim` if its call ends without an outcome to share.
START_OVER = object()


class MemoTable:
    """Assigns each call to one task, and gives its outcome to the others. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: For each call the task that executes it, or its outcome: a result and an exception.
        self._calls: dict[str, TaskRecord | tuple[Any, BaseException | None]] = {}
        #: For some of the calls under way, the future on which other tasks wait.
        self._shared: dict[str, LeanFuture[Any]] = {}

    def claim(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Return a future of the outcome of a call, done or not; None if this task has to execute it.

        The future's result may be :data:`START_OVER`.
        """
        call = self._calls.setdefault(hashsum, task)  # atomic
        if call is task:
            return None
        if type(call) is tuple:
            return done_future(*call)
        with self._lock:
            call = self._calls.setdefault(hashsum, task)  # the call may have ended meanwhile
            if call is task:
                return None
            if type(call) is tuple:
                return done_future(*call)
            return self._shared.setdefault(hashsum, LeanFuture())

    def put(self, hashsum: str, result: Any, error: BaseException | None = None) -> LeanFuture[Any] | None:
        """Note the outcome of a call. Returns the future on which other tasks wait, if there is one."""
        with self._lock:
            self._calls[hashsum] = (result, error)
            return self._shared.pop(hashsum, None) if self._shared else None

    def put_all(self, ended: Sequence[tuple[TaskRecord, Any]]) -> list[tuple[LeanFuture[Any], Any]]:
        """Note the results of tasks. Returns the futures on which others wait, with their results."""
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

    def release(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Note that a task has ended without an outcome to share. Returns as :meth:`put` does."""
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
