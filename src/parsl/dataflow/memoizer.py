"""What decides whether a task has to run: the interface of memoizers."""

from __future__ import annotations

from logging import getLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

logger = getLogger(__name__)


class Memoizer:
    """Decides whether a task has to run, and is told how it ended. Derive from it to write another one.

    The kernel asks about every task, of apps with and without ``cache=True`` (``task["memoize"]``), when its
    dependencies are done: ``task["args"]`` and ``task["kwargs"]`` have their results. It asks again before
    each further attempt. Calls come from any thread, several at a time. None of these methods does anything
    here.
    """

    #: Whether the kernel is to call :meth:`commit`.
    commits = False

    def start(self, *, run_dir: str, config_run_dir: str) -> None:
        """Begin; called once, when the kernel starts.

        Args:
            run_dir: The directory of this run.
            config_run_dir: The directory that holds those of all runs.
        """

    def check_memo(self, task: TaskRecord) -> Future[Any] | None:
        """Return a future of the task's outcome, done or not; None if the task has to run.

        An exception raised here fails the task.
        """

    def update_memo_result(self, task: TaskRecord, r: Any) -> None:
        """The task has run, and this is its result; its future is not done yet."""

    def update_memo_results(self, ended: Sequence[tuple[TaskRecord, Any]]) -> None:
        """Several tasks have run. If there is a :meth:`commit`, the kernel calls this just before it, for all
        tasks that have ended together; here it calls :meth:`update_memo_result` for each.

        Args:
            ended: The tasks, with their results.
        """
        for task, result in ended:
            try:
                self.update_memo_result(task, result)
            except Exception:
                logger.exception("The memoizer has failed with the end of %r", task)

    def update_memo_exception(self, task: TaskRecord, e: BaseException) -> None:
        """The task has failed, or was cancelled (then ``e`` is a CancelledError)."""

    def commit(self) -> None:
        """Make lasting what the updates since the last call have told.

        The kernel calls it, if :attr:`commits` says so, once for all tasks that have ended together, and
        only then finishes their futures.
        """

    def close(self) -> None:
        """End; called once, after the executors have ended."""


__all__ = ["Memoizer"]
