"""The kernel's memoizer: requests before a task is launched, reports when it has ended."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError, Future
from logging import getLogger

from parsl.dataflow.memoizer import START_OVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from parsl.dataflow.memoizer import Memoizer
    from parsl.dataflow.taskrecord import TaskRecord

    Results = list[tuple[TaskRecord, Any]]

logger = getLogger(__name__)


class TaskMemo:
    """Starts the memoizer when it is needed, and calls it for tasks. Any thread may call it."""

    def __init__(self, memoizer: Memoizer | None, *, run_dir: str, config_run_dir: str) -> None:
        self._configured = memoizer
        self._started: Memoizer | None = None
        self._run_dir = run_dir
        self._config_run_dir = config_run_dir
        self.covers_all = False
        self.commits = False
        #: The tasks, with their results, whose futures are completed after the next commit.
        self.uncommitted: deque[tuple[TaskRecord, Any]] = deque()
        self._lock = threading.Lock()

    def start(self) -> Memoizer:
        """Return the memoizer. The first call starts it."""
        if self._started is None:
            with self._lock:
                if self._started is None:
                    self._started = self._start()
        return self._started

    def _start(self) -> Memoizer:
        from parsl.dataflow.memoization import BasicMemoizer

        memoizer = BasicMemoizer() if self._configured is None else self._configured
        memoizer.start(run_dir=self._run_dir, config_run_dir=self._config_run_dir)
        self.commits = memoizer.commits
        self.covers_all = type(memoizer) is not BasicMemoizer
        return memoizer

    def find(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> Future[Any] | None:
        """Return a future of a task's outcome, done or not; None if the task has to run.

        The arguments contain results in the place of futures. An error of the memoizer is raised.
        """
        if args is not record.args:
            record.args, record.kwargs = list(args), kwargs
        found = self.start().check_memo(record)
        if found is None:
            record.from_memo = False
        return found

    def report(self, record: TaskRecord, result: Any, error: BaseException | None) -> None:
        """Report the outcome of a task to the memoizer, before the task's future is done."""
        if record.from_memo:
            return
        try:
            if error is None:
                self.start().update_memo_result(record, result)
            else:
                self.start().update_memo_exception(record, error)
        except Exception:
            logger.exception("The memoizer could not record the outcome of %r", record)

    def take_queue(self) -> Results:
        with self._lock:  # other threads only append meanwhile
            return [self.uncommitted.popleft() for _ in range(len(self.uncommitted))]

    def commit(self, ended: Results) -> None:
        """Make new results permanent, and what the memoizer has found. An error of the memoizer is logged."""
        try:
            memoizer = self.start()
            if ended:
                memoizer.update_memo_results(ended)
            memoizer.commit()
        except Exception:
            logger.exception("The memoizer %r could not commit its updates", self._started)

    def close(self) -> None:
        if self._started is not None:
            self._started.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._started!r}, {len(self.uncommitted)} uncommitted>"


def outcome_of(found: Future[Any]) -> tuple[Any, BaseException | None] | None:
    """Return the result and the exception of the memoizer's future, which is done; None if it has neither."""
    try:
        error = found.exception()
    except CancelledError:
        return None
    if error is not None:
        return None, error
    result = found.result()
    return None if result is START_OVER else (result, None)
