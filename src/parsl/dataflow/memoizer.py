"""The interface of memoizers, which decide whether a task has to run."""

from __future__ import annotations

from logging import getLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

__all__ = ["Memoizer"]

logger = getLogger(__name__)

#: The result of a future from :meth:`Memoizer.check_memo` if the other call, whose outcome it was to be, has
#: ended without one.
START_OVER = object()


class Memoizer:
    """Decides whether a task has to run, and receives its outcome. Derive from it to write another one.

    The kernel calls :meth:`check_memo` for every task, of apps with and without ``cache=True``
    (``task["memoize"]``), when its dependencies are done: ``task["args"]`` and ``task["kwargs"]`` contain
    their results. It calls it again before each further attempt. Calls come from any thread, several at a
    time. The methods of this class do nothing.
    """

    #: Whether the kernel calls :meth:`commit`.
    commits = False

    def start(self, *, run_dir: str, config_run_dir: str) -> None:
        """Begin; called once for each run, when the kernel starts.

        Args:
            run_dir: The directory of this run.
            config_run_dir: The directory that holds those of all runs.
        """

    def check_memo(self, task: TaskRecord) -> Future[Any] | None:
        """Return a future of the task's outcome, done or not; None if the task has to run.

        An exception raised here fails the task.
        """

    def update_memo_result(self, task: TaskRecord, r: Any) -> None:
        """Receive the result of a task that has run. The task's future is not done yet."""

    def update_memo_results(self, ended: Sequence[tuple[TaskRecord, Any]]) -> None:
        """Receive the results of several tasks; this calls :meth:`update_memo_result` for each.

        The kernel calls it just before :meth:`commit`, for all tasks that have ended together.

        Args:
            ended: The tasks, with their results.
        """
        for task, result in ended:
            try:
                self.update_memo_result(task, result)
            except Exception:
                logger.exception("The memoizer could not record the result of %r", task)

    def update_memo_exception(self, task: TaskRecord, e: BaseException) -> None:
        """Receive the exception of a task that has failed; a CancelledError if it was cancelled."""

    def commit(self) -> None:
        """Make the updates since the last call permanent.

        The kernel calls this once for all tasks that have ended together, before it completes their futures.
        It does so only if :attr:`commits` is true.
        """

    def close(self) -> None:
        """End; called once for each run, after the executors have ended."""
