"""What decides whether a task has to run: the interface of memoizers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord


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
