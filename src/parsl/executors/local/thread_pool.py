"""Threads that run tasks: the engine of the ThreadPoolExecutor."""

from __future__ import annotations

from itertools import count
from logging import getLogger
from queue import SimpleQueue
from threading import Lock, current_thread
from time import monotonic

from parsl.executors.errors import ThreadLost
from parsl.executors.local.deadlines import DeadlineWatch
from parsl.executors.local.interrupt import walltime_exceeded
from parsl.executors.local.pool_thread import PoolThread
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

logger = getLogger(__name__)

#: How long threads that were abandoned are waited for when the pool ends, in seconds.
_ABANDONED_GRACE_S = 0.2


class ThreadTask(LeanFuture["Any"]):
    """A task of a thread pool, and at once the future of its result."""

    __slots__ = ("_pool", "args", "func", "kwargs", "walltime_s")

    def __init__(
        self,
        pool: ThreadPool,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        walltime_s: float | None,
    ) -> None:
        super().__init__()
        self._pool = pool
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.walltime_s = walltime_s

    def cancel(self) -> bool:
        """Cancel a task that waits for a thread; or one that runs, if it is a bash app, with its processes.

        Returns:
            Whether the task is cancelled. False if it is done, or Python code that runs.
        """
        if super().cancel():
            self.release()
            return True
        return self._pool.end_command(self)

    def cancel_running(self) -> None:
        """Enter the cancelled state although it runs; for whoever has ended it."""
        callbacks = self._finish("CANCELLED_AND_NOTIFIED", None, None)
        if callbacks is not None:
            self._run_callbacks(callbacks)

    def release(self) -> None:
        """Let go of the function and its arguments."""
        self.func = _released
        self.args = ()
        self.kwargs = {}


def _released() -> None:
    return None


class ThreadPool:
    """Up to ``max_threads`` threads, started on demand, that run tasks in the order they came.

    Any thread may call the public methods. What ends a task from outside first takes it out of ``running``:
    whoever gets it from there, and nobody else, decides how the task ends.

    Args:
        max_threads: How many tasks may run at once.
        name: The beginning of the threads' names.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._queue: SimpleQueue[ThreadTask | None] = SimpleQueue()
        self._numbers = count()
        self._lock = Lock()
        self._threads: set[PoolThread] = set()
        self._abandoned: set[PoolThread] = set()
        #: Tasks that are queued or running; counted only as long as the pool may have to grow.
        self._unfinished = 0
        self._can_grow = True
        self._is_closed = False
        self.running: dict[ThreadTask, PoolThread] = {}
        self.watch = DeadlineWatch(name)

    def __repr__(self) -> str:
        return (
            f"<ThreadPool {self._name} threads={len(self._threads)}/{self._max_threads} "
            f"running={len(self.running)} queued={self._queue.qsize()}{' closed' if self._is_closed else ''}>"
        )

    def submit(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        walltime_s: float | None = None,
    ) -> ThreadTask:
        """Queue a call.

        Args:
            func: The function.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            walltime_s: How long it may run, in seconds.

        Returns:
            The future of its result.

        Raises:
            RuntimeError: The pool was shut down.
        """
        task = ThreadTask(self, func, args, kwargs, walltime_s)
        self._queue.put(task)
        if self._can_grow:
            try:
                self._grow()
            except RuntimeError:  # the system gives no more threads
                if not self._threads and LeanFuture.cancel(task):
                    raise
        if self._is_closed and LeanFuture.cancel(task):
            raise RuntimeError(f"{self!r} takes no tasks after its shutdown")
        return task

    def take(self) -> ThreadTask | None:
        """Wait for the next task; None when there will be no more. For the pool's threads."""
        task = self._queue.get()
        if task is None:
            self._queue.put(None)  # for the next thread
        return task

    def count_finished(self) -> None:
        """A thread is free again."""
        if self._can_grow:
            with self._lock:
                self._unfinished -= 1

    def end_command(self, task: ThreadTask) -> bool:
        """Cancel a running bash app, ending its processes. Returns whether the task is cancelled."""
        if not getattr(task.func, "runs_command", False):
            return False
        thread = self.running.pop(task, None)
        if thread is None:
            return task.cancelled()
        self._replace(thread)
        thread.child.end()
        task.cancel_running()
        return True

    def time_is_up(self, task: ThreadTask) -> None:
        """A running task has used up its walltime: end it, and let it fail."""
        thread = self.running.pop(task, None)
        if thread is None:
            return
        error = walltime_exceeded(getattr(task.func, "__name__", repr(task.func)), task.walltime_s or 0.0)
        self._replace(thread)
        thread.end_task()
        task.set_exception(error)

    def fail_tasks_of(self, thread: PoolThread, error: BaseException) -> None:
        """Something of the pool's own has failed in a thread: so does the task that it is at."""
        for task in [task for task, owner in list(self.running.items()) if owner is thread]:
            if self.running.pop(task, None) is not None:
                self.count_finished()
                task.set_exception(ThreadLost(thread.thread.name, "runs tasks", error))

    def forget(self, thread: PoolThread) -> None:
        """A thread has ended."""
        with self._lock:
            self._threads.discard(thread)
            self._abandoned.discard(thread)

    def shutdown(self, wait: bool = True, timeout_s: float | None = None) -> None:
        """Take no more tasks, and end the threads when those there are have been run.

        Args:
            wait: Whether to wait for that.
            timeout_s: How long to wait, in seconds; None for as long as it takes. When the time is up, or
                when the wait is interrupted (Ctrl-C), queued tasks are cancelled and running ones are
                ended: bash apps with their processes, Python code by an exception and, if that does not
                help, by being abandoned.
        """
        self._is_closed = True
        self._queue.put(None)
        if not wait:
            return
        has_ended = False
        try:
            has_ended = self._join(self._threads, timeout_s)
        finally:
            if not has_ended:
                self._end_all()
            self.watch.close()
            self._join(self._abandoned, _ABANDONED_GRACE_S)

    def _join(self, threads: set[PoolThread], timeout_s: float | None) -> bool:
        """Wait for the end of threads. Returns whether all have ended in time."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        while True:
            with self._lock:
                thread = next((t.thread for t in threads if t.thread is not current_thread()), None)
            if thread is None:
                return True
            left_s = None if deadline is None else max(0.0, deadline - monotonic())
            thread.join(left_s)
            if left_s == 0.0 and thread.is_alive():
                return False

    def _end_all(self) -> None:
        """Cancel what is queued, end what is running."""
        while not self._queue.empty():
            task = self._queue.get()
            if task is not None:
                task.cancel()
        self._queue.put(None)
        for task in list(self.running):
            thread = self.running.pop(task, None)
            if thread is not None:
                self._abandon(thread)
                thread.end_task()
                task.cancel_running()

    def _grow(self) -> None:
        """Start another thread if all are needed for the tasks there are already."""
        with self._lock:
            self._unfinished += 1
            if len(self._threads) < min(self._unfinished, self._max_threads):
                self._start_thread()
            self._can_grow = len(self._threads) < self._max_threads

    def _replace(self, thread: PoolThread) -> None:
        """Have another thread in the place of one that takes no more tasks, whenever that will end."""
        self._abandon(thread)
        self.count_finished()
        try:
            with self._lock:
                self._start_thread()
        except RuntimeError as error:  # the system gives no more threads
            logger.critical("%r cannot replace a thread: %s", self, error)
            if not self._threads:
                self._fail_queued(ThreadLost(thread.thread.name, "runs tasks", error))

    def _fail_queued(self, error: ThreadLost) -> None:
        """No thread is left for the tasks that wait."""
        while not self._queue.empty():
            task = self._queue.get()
            if task is not None and task.set_running_or_notify_cancel():
                self.count_finished()
                task.set_exception(error)

    def _abandon(self, thread: PoolThread) -> None:
        with self._lock:
            self._threads.discard(thread)
            if not thread.has_ended:
                self._abandoned.add(thread)

    def _start_thread(self) -> None:
        thread = PoolThread(self, f"{self._name}_{next(self._numbers)}")
        self._threads.add(thread)
        try:
            thread.thread.start()
        except BaseException:
            self._threads.discard(thread)
            self._can_grow = True  # when a task comes next
            raise
