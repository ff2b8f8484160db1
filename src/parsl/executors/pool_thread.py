"""One thread of a thread pool."""

from __future__ import annotations

from logging import getLogger
from threading import Thread, get_ident

from parsl.app.errors import AppException
from parsl.executors import task_child
from parsl.executors.interrupt import Interruptible
from parsl.lean_future import InvalidStateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from parsl.executors.thread_pool import ThreadPool, ThreadTask

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
        self._life: Interruptible | None = None
        self.child = task_child.TaskChild()
        self.has_ended = False
        self.thread = Thread(target=self._run, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"<PoolThread {self.thread.name}{' ended' if self.has_ended else ''}>"

    def end_task(self) -> None:
        """End what it does for a task that was taken out of the pool's ``running``. For other threads."""
        if not self.child.end() and self._life is not None:
            self._life.interrupt()

    def _run(self) -> None:
        life = self._life = Interruptible()
        task_child.by_thread[get_ident()] = self.child
        try:
            try:
                self._serve_on()
            finally:
                life.close()
        except BaseException as error:
            if not life.is_interrupted:
                logger.critical("%r has failed: %r", self, error, exc_info=True)
        del task_child.by_thread[get_ident()]
        self.has_ended = True
        self._pool.forget(self)

    def _serve_on(self) -> None:
        """Serve, whatever the callbacks of futures raise."""
        life = self._life
        while True:
            try:
                self._serve()
                return
            except BaseException:
                if life is None or life.is_interrupted:
                    return
                logger.exception("a callback of a future has failed in %r", self)

    def _serve(self) -> None:
        pool = self._pool
        running = pool.running
        take = pool.take
        while (task := take()) is not None:
            running[task] = self
            if not task.set_running_or_notify_cancel():
                running.pop(task, None)
                pool.count_finished()
                continue
            result, error = self._call(task)
            if running.pop(task, None) is None:
                return
            task.release()
            pool.count_finished()
            _finish(task, result, error)
            # Nothing of a task stays alive while the thread waits for the next one.
            del task, result, error

    def _call(self, task: ThreadTask) -> tuple[Any, BaseException | None]:
        if task.walltime_s is not None:
            return self._call_limited(task, task.walltime_s)
        try:
            return task.func(*task.args, **task.kwargs), None
        except BaseException as error:
            return None, _failure(error)

    def _call_limited(self, task: ThreadTask, walltime_s: float) -> tuple[Any, BaseException | None]:
        pool = self._pool
        deadline = pool.watch.add(walltime_s, lambda: pool.time_is_up(task))
        try:
            return task.func(*task.args, **task.kwargs), None
        except BaseException as error:
            return None, _failure(error)
        finally:
            deadline.cancel()


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
    if isinstance(error, Exception):
        return error
    # SystemExit, KeyboardInterrupt and their like would end the thread that asks for the result.
    failure = AppException(f"The task raised {error!r}, as if to end its process, which is the driver's")
    failure.__cause__ = error
    return failure
