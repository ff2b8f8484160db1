"""One thread of a thread pool."""

from __future__ import annotations

from logging import getLogger
from threading import Thread, get_ident

from parsl.executors.local import task_child
from parsl.executors.local.interrupt import Interruptible
from parsl.vocabulary.app_errors import task_failure
from parsl.vocabulary.lean_future import InvalidStateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from parsl.executors.local.deadlines import Deadline
    from parsl.executors.local.thread_pool import ThreadPool, ThreadTask

logger = getLogger(__name__)


class PoolThread:
    """Runs tasks until the pool ends, or until one of its tasks is ended from outside.

    A thread whose task was ended never takes another one: what was sent to end the task can hit nothing else.

    Args:
        pool: Where its tasks come from.
        name: The thread's name.
    """

    def __init__(self, pool: ThreadPool, name: str) -> None:
        self._pool = pool
        self._interruptible: Interruptible | None = None
        self._deadline: Deadline | None = None
        self.child = task_child.TaskChild()
        self.has_ended = False
        self.thread = Thread(target=self._run, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"<PoolThread {self.thread.name}{' ended' if self.has_ended else ''}>"

    def end_task(self) -> None:
        """End what it does for a task that was taken out of the pool's ``running``. For other threads."""
        if not self.child.end() and self._interruptible is not None:
            self._interruptible.interrupt()

    def _run(self) -> None:
        interruptible = self._interruptible = Interruptible()
        task_child.by_thread[get_ident()] = self.child
        try:
            try:
                self._serve_on(interruptible)
            finally:
                interruptible.close()
        except BaseException as error:
            if not interruptible.is_interrupted:
                logger.critical("%r has failed: %r", self, error, exc_info=True)
                self._pool.fail_tasks_of(self, error)
        del task_child.by_thread[get_ident()]
        if self._deadline is not None:
            self._deadline.cancel()
        self.has_ended = True
        self._pool.forget(self)

    def _serve_on(self, interruptible: Interruptible) -> None:
        """Serve, whatever goes wrong; a task that is under way then fails."""
        while True:
            try:
                self._serve(interruptible)
                return
            except BaseException as error:
                if interruptible.is_interrupted:
                    return
                logger.exception("%r goes on after an error", self)
                self._pool.fail_tasks_of(self, error)

    def _serve(self, interruptible: Interruptible) -> None:
        pool = self._pool
        running = pool.running
        take = pool.take
        while (task := take()) is not None:
            running[task] = self
            if not task.set_running_or_notify_cancel():
                running.pop(task, None)
                pool.count_finished()
                continue
            if task.walltime_s is not None:
                self._watch_over(task, task.walltime_s)
            result = error = None
            interruptible.is_open = True
            if self._deadline is not None and task not in running:
                return  # its time was up before it could be interrupted
            try:
                result = task.func(*task.args, **task.kwargs)
            except BaseException as raised:
                error = _failure(raised)
            interruptible.is_open = False
            # Whoever ends the task from outside takes it away first: an interruption may still be on its
            # way then. Otherwise there is none, and locks may be taken again.
            if running.pop(task, None) is None:
                return
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            task.release()
            pool.count_finished()
            _finish(task, result, error)
            # Nothing of a task stays alive while the thread waits for the next one.
            del task, result, error

    def _watch_over(self, task: ThreadTask, walltime_s: float) -> None:
        pool = self._pool
        self._deadline = pool.watch.add(walltime_s, lambda: pool.time_is_up(task))


def _finish(task: ThreadTask, result: Any, error: BaseException | None) -> None:
    try:
        if error is None:
            task.set_result(result)
        else:
            task.set_exception(error)
    except InvalidStateError:
        logger.debug("%r was finished by somebody else", task)


def _failure(error: BaseException) -> BaseException:
    """What the task fails with; its traceback begins with the user's function."""
    trace = error.__traceback__
    error.__traceback__ = trace.tb_next if trace is not None else None
    return task_failure(error)
