"""Threads that run tasks: the engine of the ThreadPoolExecutor."""

from __future__ import annotations

from concurrent.futures import InvalidStateError
from functools import partial
from itertools import count
from logging import getLogger
from queue import SimpleQueue
from threading import Lock, Thread, current_thread, get_ident
from time import monotonic, perf_counter

from parsl.executors.errors import ThreadLost
from parsl.executors.local import task_process
from parsl.executors.local.deadlines import Deadline, DeadlineWatch
from parsl.executors.local.interrupt import Interruptible, walltime_exceeded
from parsl.executors.local.running_watch import RunningWatch
from parsl.vocabulary.app_errors import task_failure
from parsl.vocabulary.lean_future import LeanFuture
from parsl.vocabulary.run_observer import pack_usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from parsl.executors.local.running_watch import Report

logger = getLogger(__name__)

#: How long the shutdown of a pool waits for abandoned threads, in seconds.
_ABANDONED_GRACE_S = 0.2
#: What a task's command has used is looked at only for tasks that take at least this long, in seconds.
MEASURED_S = 0.001


class ThreadTask(LeanFuture["Any"]):
    """A task of a thread pool, which is also the future of its result."""

    __slots__ = ("_pool", "args", "attempt_usage", "func", "kwargs", "walltime_s")

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
        #: What the task has used, made by `pack_usage` before it is done; empty if it has not run to its end.
        self.attempt_usage = b""

    def cancel(self) -> bool:
        """Cancel a task that waits for a thread, or a running bash app with its processes.

        Returns whether the task is cancelled: not if it is done, or running Python code.
        """
        if super().cancel():
            self.release()
            return True
        return self._pool.end_command(self)

    def cancel_running(self) -> None:
        """Enter the cancelled state from the running one; for the code that has ended the task."""
        callbacks = self._finish("CANCELLED_AND_NOTIFIED", None, None)
        if callbacks is not None:
            self._run_callbacks(callbacks)

    def release(self) -> None:
        self.func = _released
        self.args = ()
        self.kwargs = {}


def _released() -> None:
    return None


class PoolThread:
    """Runs tasks until the pool ends, or until one of its tasks is ended by another thread.

    After that it takes no more tasks, so that what was sent to end one task cannot hit another.
    """

    def __init__(self, pool: ThreadPool, name: str) -> None:
        self._pool = pool
        self._interruptible: Interruptible | None = None
        self._deadline: Deadline | None = None
        self.process = task_process.TaskProcess()
        self.has_ended = False
        #: When its task has started.
        self.start_s = 0.0
        self.thread = Thread(target=self._run, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"<PoolThread {self.thread.name}{' ended' if self.has_ended else ''}>"

    def end_task(self) -> None:
        """End what the thread does for a task that was taken out of ``pool.running``. For other threads."""
        if not self.process.end() and self._interruptible is not None:
            self._interruptible.interrupt()

    def _run(self) -> None:
        interruptible = self._interruptible = Interruptible()
        task_process.by_thread[get_ident()] = self.process
        try:
            try:
                while not self._serve_until_error(interruptible):
                    pass
            finally:
                interruptible.close()
        except BaseException as error:
            if not interruptible.is_interrupted:
                logger.critical("%r has failed: %r", self, error, exc_info=True)
                self._pool.fail_tasks_of(self, error)
        del task_process.by_thread[get_ident()]
        if self._deadline is not None:
            self._deadline.cancel()
        self.has_ended = True
        self._pool.remove(self)

    def _serve_until_error(self, interruptible: Interruptible) -> bool:
        """Run tasks. After an internal error, fail the present task, and return False."""
        try:
            self._serve(interruptible)
        except BaseException as error:
            if not interruptible.is_interrupted:
                logger.exception("%r continues after an error", self)
                self._pool.fail_tasks_of(self, error)
                return False
        return True

    def _serve(self, interruptible: Interruptible) -> None:
        pool = self._pool
        running = pool.running
        take = pool.take
        watch = pool.running_watch
        while (task := take()) is not None:
            self.start_s = perf_counter()
            running[task] = self
            if watch.is_asleep:
                watch.wake()
            if not task.set_running_or_notify_cancel():
                running.pop(task, None)
                pool.count_finished()
                continue
            if task.walltime_s is not None:
                self._deadline = pool.watch.add(task.walltime_s, partial(pool.end_overdue, task))
            result = error = None
            interruptible.is_open = True
            if self._deadline is not None and task not in running:
                return  # the walltime was over before the task could be interrupted
            try:
                result = task.func(*task.args, **task.kwargs)
            except BaseException as raised:
                error = _failure(raised)
            interruptible.is_open = False
            # A thread that ends the task takes it out of `running` first; an interruption may then still
            # arrive. If the task is still there, none will, and this thread may take locks again.
            if running.pop(task, None) is None:
                return
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            run_s = perf_counter() - self.start_s
            task.attempt_usage = self._usage(run_s)
            task.release()
            pool.count_finished()
            _settle(task, result, error)
            # Nothing of a task stays in memory while the thread waits for the next one.
            del task, result, error

    def _usage(self, run_s: float) -> bytes:
        """Return what a task has used, as far as it is known: the processor time of its command.

        Measuring that of the thread would cost more than a short task.
        """
        cpu_s = -1.0
        if run_s >= MEASURED_S:
            usage, self.process.usage = self.process.usage, None
            if usage is not None:
                cpu_s = usage.cpu_s
        return pack_usage(run_s, cpu_s, -1, -1, -1)


def _settle(task: ThreadTask, result: Any, error: BaseException | None) -> None:
    try:
        if error is None:
            task.set_result(result)
        else:
            task.set_exception(error)
    except InvalidStateError:
        logger.debug("%r was settled by other code", task)


def _failure(error: BaseException) -> BaseException:
    """Return what the task fails with; its traceback begins with the user's function."""
    trace = error.__traceback__
    error.__traceback__ = trace.tb_next if trace is not None else None
    return task_failure(error)


class ThreadPool:
    """Up to ``max_threads`` threads, started on demand, that run tasks in the order of their submission.

    Any thread may call the public methods. A thread that ends a task first takes it out of ``running``; the
    one that succeeds in this settles the task.
    """

    def __init__(self, max_threads: int, name: str, report: Report | None = None) -> None:
        self._max_threads = max_threads
        self._name = name
        self._queue: SimpleQueue[ThreadTask | None] = SimpleQueue()
        self._numbers = count()
        self._lock = Lock()
        self._threads: set[PoolThread] = set()
        self._abandoned: set[PoolThread] = set()
        #: Tasks that are queued or running; counted only while the pool may have to grow.
        self._unfinished = 0
        self._can_grow = True
        self._is_closed = False
        self.running: dict[ThreadTask, PoolThread] = {}
        self.watch = DeadlineWatch(name)
        #: Reports the tasks that take long, if they are to be reported.
        self.running_watch = RunningWatch(name, self.running, report)

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
        """Queue a call, which may take ``walltime_s``; raises RuntimeError after the pool's shutdown."""
        task = ThreadTask(self, func, args, kwargs, walltime_s)
        self._queue.put(task)
        if self._can_grow:
            try:
                self._grow()
            except RuntimeError:  # no more threads can be started
                if not self._threads and LeanFuture.cancel(task):
                    raise
        if self._is_closed and LeanFuture.cancel(task):
            raise RuntimeError(f"{self!r} accepts no tasks after its shutdown")
        return task

    def take(self) -> ThreadTask | None:
        """Wait for the next task; None when there will be no more. For the pool's threads."""
        task = self._queue.get()
        if task is None:
            self._queue.put(None)  # for the next thread
        return task

    def count_finished(self) -> None:
        """Record that a thread is free again."""
        if self._can_grow:
            with self._lock:
                self._unfinished -= 1

    def end_overdue(self, task: ThreadTask) -> None:
        """End a running task that has exceeded its walltime."""
        thread = self.running.pop(task, None)
        if thread is None:
            return
        error = walltime_exceeded(getattr(task.func, "__name__", repr(task.func)), task.walltime_s or 0.0)
        self._replace(thread)
        thread.end_task()
        task.set_exception(error)

    def end_command(self, task: ThreadTask) -> bool:
        """Cancel a running bash app with its processes; returns whether the task is cancelled."""
        if not getattr(task.func, "runs_command", False):
            return False
        thread = self.running.pop(task, None)
        if thread is None:
            return task.cancelled()
        self._replace(thread)
        thread.process.end()
        task.cancel_running()
        return True

    def fail_tasks_of(self, thread: PoolThread, error: BaseException) -> None:
        """Fail the task that a thread was running when an internal error occurred in it."""
        for task in [task for task, owner in list(self.running.items()) if owner is thread]:
            if self.running.pop(task, None) is not None:
                self.count_finished()
                task.set_exception(ThreadLost(thread.thread.name, "runs tasks", error))

    def remove(self, thread: PoolThread) -> None:
        with self._lock:
            self._threads.discard(thread)
            self._abandoned.discard(thread)

    def shutdown(self, wait: bool = True, timeout_s: float | None = None) -> None:
        """Accept no more tasks, and end the threads when the submitted ones have finished.

        When ``timeout_s`` is over, or the wait is interrupted (Ctrl-C), queued tasks are cancelled and
        running ones are ended: bash apps with their processes, Python code by an exception and, if that has
        no effect, by abandoning it.
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
            self.running_watch.close()
            self._join(self._abandoned, _ABANDONED_GRACE_S)

    def _join(self, threads: set[PoolThread], timeout_s: float | None) -> bool:
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
        with self._lock:
            self._unfinished += 1
            if len(self._threads) < min(self._unfinished, self._max_threads):
                self._start_thread()
            self._can_grow = len(self._threads) < self._max_threads

    def _replace(self, thread: PoolThread) -> None:
        """Start another thread in place of one that takes no more tasks, though it may not have ended."""
        self._abandon(thread)
        self.count_finished()
        try:
            with self._lock:
                self._start_thread()
        except RuntimeError as error:  # no more threads can be started
            logger.critical("%r cannot replace a thread: %s", self, error)
            if not self._threads:
                self._fail_queued(ThreadLost(thread.thread.name, "runs tasks", error))

    def _fail_queued(self, error: ThreadLost) -> None:
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
            self._can_grow = True  # the next submission tries again
            raise
