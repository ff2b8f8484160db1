"""The kernel's side of memoization: asking before a task is launched, telling how it ended."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError
from logging import getLogger

from parsl.common.batches import at_end
from parsl.dataflow.memo.table import START_OVER
from parsl.dataflow.memoizer import Memoizer
from parsl.dataflow.tasks.graph import IS_FINAL
from parsl.dataflow.work_loop import work_loop
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.dataflow.tasks.runner import TaskRunner

logger = getLogger(__name__)


class TaskMemo:
    """Asks and tells a memoizer. Any thread may call it.

    Args:
        runner: What takes tasks through their lives.
        memoizer: What remembers.
        asks_always: Whether it is asked about apps without ``cache=True``, too.
    """

    def __init__(self, runner: TaskRunner, memoizer: Memoizer, *, asks_always: bool) -> None:
        self._runner = runner
        self._memoizer = memoizer
        self.asks_always = asks_always
        self.commits = memoizer.commits
        #: The tasks that have ended and whose futures are to be finished after the next commit.
        self._uncommitted: deque[tuple[TaskRecord, Any]] = deque()
        #: The same for those whose outcome came from the memoizer.
        self._found: deque[tuple[TaskRecord, Any]] = deque()
        self._taking = threading.Lock()
        self._end_of_batch = self._commit_now  # bound once, not for each task

    # Before a task is launched

    def answers(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
        """Whether a task that is ready need not be launched: it has ended, or will without that."""
        if args is not record.args:  # dependencies have been replaced by their results
            record.args, record.kwargs = list(args), kwargs
        try:
            memo = self._memoizer.check_memo(record)
        except Exception as error:
            self._runner.fail(record, error)
            return True
        if memo is None:
            record.from_memo = False
            return IS_FINAL[record.status] and self._give_back(record)
        if memo.done():
            work_loop.run_now(self._take, record, memo)
        else:
            memo.add_done_callback(record.memo_done)
        return True

    def _give_back(self, record: TaskRecord) -> bool:
        """A task was cancelled while the memoizer made the call its own: take that back."""
        self.tell(record, None, CancelledError())
        return True

    def memo_done(self, record: TaskRecord, memo: Future[Any]) -> None:
        """What a task waits for instead of being launched is there."""
        work_loop.run_soon(self._take, record, memo)

    def _take(self, record: TaskRecord, memo: Future[Any]) -> None:
        if IS_FINAL[record.status]:
            return
        try:
            error = memo.exception()
            result = memo.result() if error is None else None
        except CancelledError:
            result, error = START_OVER, None
        if result is START_OVER:
            self._runner.start_over(record)
            return
        record.from_memo = True
        self._runner.finish_from_memo(
            record, States.memo_done if error is None else States.failed, result, error
        )

    # When a task has ended

    def tell(self, record: TaskRecord, result: Any, error: BaseException | None) -> None:
        """Tell the memoizer how a task has ended, before others hear of it."""
        if record.from_memo:
            return
        try:
            if error is None:
                self._memoizer.update_memo_result(record, result)
            else:
                self._memoizer.update_memo_exception(record, error)
        except Exception:
            logger.exception("The memoizer has failed with the end of %r", record)

    def finish_after_commit(self, record: TaskRecord, result: Any) -> None:
        """Tell the memoizer of a result, and finish the future of the task once that is lasting."""
        (self._found if record.from_memo else self._uncommitted).append((record, result))
        if not at_end(self._end_of_batch):
            work_loop.run_soon(self._commit)

    def _commit_now(self) -> None:
        work_loop.run_now(self._commit)

    def _commit(self) -> None:
        # Taken out before the commit: what is added meanwhile is not yet lasting after it.
        with self._taking:
            ended, found = _take_all(self._uncommitted), _take_all(self._found)
        if not ended and not found:
            return
        try:
            self._memoizer.update_memo_results(ended)
            self._memoizer.commit()
        except Exception:
            logger.exception("The memoizer %r has failed to commit", self._memoizer)
        finally:  # interrupted or not: nobody else will finish them
            self._finish(ended + found)

    def _finish(self, ended: list[tuple[TaskRecord, Any]]) -> None:
        settle = self._runner.settle
        rest = iter(ended)
        try:
            for record, result in rest:
                settle(record, record.app_fu, result, None)  # type: ignore[arg-type]
        finally:
            left = list(rest)
            if left:  # interrupted (KeyboardInterrupt): the others must not be lost
                work_loop.run_soon(self._finish, left)

    def __repr__(self) -> str:
        uncommitted = len(self._uncommitted) + len(self._found)
        return f"<{type(self).__name__} of {self._memoizer!r}, {uncommitted} uncommitted>"


def _take_all(waiting: deque[tuple[TaskRecord, Any]]) -> list[tuple[TaskRecord, Any]]:
    return [waiting.popleft() for _ in range(len(waiting))]  # others only add to it
