"""The executor that runs tasks in a pool of ``concurrent.futures``, of the script or another library."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from threading import RLock
from typing import Any, NamedTuple, cast

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_storage_access
from parsl.executors.engines.call_queue import CallQueue, QueuedCall
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import Outcome, read_outcome, run_call, run_calls, run_here
from parsl.executors.engines.requests import Request
from parsl.executors.engines.settling import SettlingThread
from parsl.executors.engines.short_functions import ShortFunctions, code_of
from parsl.executors.errors import ExecutorError
from parsl.executors.high_throughput.errors import ManagerLost

Pool = Executor | Callable[[], Executor]

#: The errors, other than BrokenExecutor, with which tasks fail when a pool can run no more. The pool of
#: executorlib still accepts tasks then, and each of them fails.
_BREAKAGES = frozenset({"ExecutorlibSocketError"})


class _PoolCall(NamedTuple):
    """A call of the pool."""

    future: Future[Any]
    #: Whether several tasks end with it.
    is_shared: bool


def _check_pool(executor: object, name: str, value: Any) -> Pool:
    has_methods = callable(getattr(value, "submit", None)) and callable(getattr(value, "shutdown", None))
    if isinstance(value, type) or not (has_methods or callable(value)):
        expected = (
            "a pool with the interface of concurrent.futures.Executor, such as ProcessPoolExecutor(4), or a "
            "function that makes one, such as lambda: ProcessPoolExecutor(4)"
        )
        validate.wrong_type(executor, name, value, expected)
    return cast(Pool, value)


def _check_in_process(executor: object, name: str, value: object) -> bool | None:
    return None if value is None else validate.boolean(executor, name, value)


class ConcurrentExecutor(EngineExecutor, RepresentationMixin):
    """Runs tasks in a pool: ``ProcessPoolExecutor``, loky, mpi4py, executorlib, or any other one.

    A pool that is passed remains the caller's: it is not shut down with the executor, and when it breaks, all
    tasks fail. A function that makes a pool is called at the start of each run and again after the pool has
    broken; these pools are shut down with the executor. Only tasks that still wait can be cancelled, and not
    those that the pool has in one call with others.

    While a pool of processes has enough to do, it gets short tasks together, as one call: those of functions
    of which nearly all of the last hundred tasks took less than a millisecond. If one of them takes longer,
    the tasks behind it wait until it ends; once a call has taken 50 ms, they go to the next free worker.

    Args:
        pool: An object with the interface of :class:`concurrent.futures.Executor`, or a function without
            parameters that returns one.
        label: The name by which apps choose this executor.
        in_process: Whether the pool's tasks share the driver's memory, so that nothing is pickled. By
            default, true only if the pool is a :class:`concurrent.futures.ThreadPoolExecutor`.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to; None for the current directory.
        max_tasks_per_call: How many short tasks go to the pool together, at most. With 1, no task waits for
            another one while a worker is free.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    engine = "the pool"

    label = validate.Text(allow_empty=False, one_line=True)
    pool: Pool = validate.Custom(_check_pool)
    in_process = validate.Custom(_check_in_process)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(allow_empty=False, optional=True)
    max_tasks_per_call = validate.Integer(low=1)

    def __init__(
        self,
        pool: Pool,
        label: str = "pool",
        in_process: bool | None = None,
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
        max_tasks_per_call: int = 8,
    ) -> None:
        super().__init__()
        validate.assign(self, locals())
        self._is_ours = not callable(getattr(pool, "submit", None))
        self._pool: Executor | None = None
        #: The last pool that has failed a task because it can run no more, and the error.
        self._breakage: tuple[Executor, BaseException] | None = None
        self._shares_memory = False
        self._lock = RLock()
        #: How long a shutdown waits for running tasks, in seconds; None for no limit.
        self._limit_s: float | None = None

    def connect(self) -> None:
        """Use the pool, or make one."""
        pool: Any = self.pool
        self._limit_s = self._breakage = None
        self._use(self._new_pool() if self._is_ours else pool)
        self._functions = ShortFunctions()
        self._queue = CallQueue(self.current_slots(), self.max_tasks_per_call, self._functions)
        self._settling = SettlingThread(f"parsl-{self.label}-settling")

    def _use(self, pool: Executor) -> None:
        self._pool = pool
        shares = self.in_process
        self._shares_memory = (
            isinstance(pool, concurrent.futures.ThreadPoolExecutor) if shares is None else shares
        )

    def _new_pool(self) -> Executor:
        try:
            make: Any = self.pool
            pool: Executor = make()
        except (Exception, SystemExit) as error:  # it may run in the thread that ends tasks
            raise EngineUnreachable(
                self, f"the function that makes its pool has raised {type(error).__name__}: {error}"
            ) from error
        if not callable(getattr(pool, "submit", None)):
            raise ConfigurationError(
                f"ConcurrentExecutor {self.label!r}: the function given as pool has returned {pool!r}, which "
                "is not a pool: it has no method submit"
            )
        return pool

    def pack_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the function's code and the call, as bytes unless the pool shares the driver's memory."""
        if self._shares_memory:
            return None, (func, args, kwargs)
        return code_of(func), super().pack_call(func, args, kwargs)

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Submit a call to the pool, now or when it has room for another short one."""
        queued = QueuedCall(task, *call)
        if not self._queue.admit(queued):
            return
        try:
            self._send([queued])
        except BaseException:
            self._queue.ended()
            self._send_waiting()
            raise

    def _send(self, calls: list[QueuedCall]) -> None:
        pool = self._pool
        if pool is None:
            raise self._ended_early()
        try:
            future = self._submit(pool, calls)
        except BrokenExecutor as error:
            pool = self._replacement(pool, error)
            future = self._submit(pool, calls)
        for call in calls:
            call.task.handle = _PoolCall(future, len(calls) > 1)
        # Pools call back with their locks held, and the next attempt needs these locks.
        future.add_done_callback(partial(self._settling.call, self._ended, calls, pool))

    def _submit(self, pool: Executor, calls: list[QueuedCall]) -> Future[Any]:
        breakage = self._breakage
        if breakage is not None and breakage[0] is pool:
            raise BrokenExecutor(str(breakage[1])) from breakage[1]
        if len(calls) > 1:
            return pool.submit(run_calls, [call.work for call in calls])
        work = calls[0].work
        return pool.submit(run_here, *work) if self._shares_memory else pool.submit(run_call, work)

    def _send_waiting(self) -> None:
        """Give the pool what has waited, as far as it has room."""
        while calls := self._queue.take():
            try:
                self._send(calls)
            except BaseException as error:
                self._queue.ended()
                for call in calls:
                    self.task_failed(call.task, error)
                if not isinstance(error, (Exception, SystemExit)):  # Ctrl-C in the main thread
                    raise

    def _replacement(self, broken: Executor, error: BrokenExecutor) -> Executor:
        """Return a pool in the place of one that has broken. A pool that was given cannot be replaced."""
        with self._lock:
            if self._pool is broken and self._is_ours:
                broken.shutdown(wait=False)
                self._use(self._new_pool())
                self._breakage = None
                self._queue.resize(self.current_slots())
            pool = self._pool
        if pool is None:
            raise self._ended_early()
        if pool is broken:
            self.set_bad_state_and_fail_all(self._loss(error))
            self.raise_if_bad()
        return pool

    def _ended_early(self) -> ExecutorError:
        return ExecutorError(self, "it was shut down before the task had ended")

    def _ended(self, calls: list[QueuedCall], pool: Executor, future: Future[Any]) -> None:
        self._queue.ended()
        for call in calls:
            call.task.handle = None  # it would keep the arguments and results of all tasks of the call
        outcomes: list[Outcome] = []
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            try:
                outcomes = self._outcomes_of(calls, future.result())
            except Exception as failure:  # of a pool that returns something else
                error = failure
        elif error is not None and _is_breakage(error) and pool is self._pool:
            self._breakage = pool, error
        try:
            if future.cancelled() or error is not None:
                for call in calls:
                    self._not_run(call.task, error)
        finally:
            self._send_waiting()  # before what follows the end of other tasks, which may take long
        for call, outcome in zip(calls, outcomes, strict=False):
            call.task.finish(outcome)

    def _outcomes_of(self, calls: list[QueuedCall], result: Any) -> list[Outcome]:
        """Return how the calls have ended; those that were not started wait again."""
        if self._shares_memory:
            return [result]
        results = result if len(calls) > 1 else [result]
        outcomes = [read_outcome(packed) for packed in results]
        for call, packed, outcome in zip(calls, results, outcomes, strict=False):
            if outcome.accounting is not None:
                self._functions.ran(call.code, outcome.accounting.run_s, len(call.work) + len(packed))
        self._queue.put_back(calls[len(results) :])
        return outcomes

    def _not_run(self, task: EngineTask, error: BaseException | None) -> None:
        if error is not None:
            self.task_failed(task, error)
        else:
            with suppress(InvalidStateError):  # the task has ended meanwhile
                task.set_cancelled()  # by the pool's owner

    def explain(self, error: BaseException) -> BaseException:
        """Return the error for a task: ManagerLost if the pool is broken."""
        return self._loss(error) if _is_breakage(error) else super().explain(error)

    def _loss(self, error: BaseException) -> ManagerLost:
        advice = (
            "" if self._is_ours else " Give the executor a function that makes the pool to have it replaced."
        )
        reason = str(error).rstrip(".")
        loss = ManagerLost("pool", "", f"The pool of executor {self.label!r} is broken: {reason}.{advice}")
        loss.__cause__ = error
        return loss

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task that waits in the pool; pools cannot end running ones."""
        if self._queue.remove(task):
            return True
        handle: _PoolCall | None = task.handle
        return handle is not None and not handle.is_shared and handle.future.cancel()

    def current_slots(self) -> int | None:
        """Return how many tasks the pool runs at once; None if unknown."""
        workers = getattr(self._pool, "_max_workers", None)  # of the standard library's pools and of loky
        return workers if isinstance(workers, int) else None

    def shutdown_within(self, limit_s: float) -> None:
        """Shut down, and end the workers of a pool that the executor has made after ``limit_s`` seconds."""
        self._limit_s = limit_s
        self.shutdown()

    def disconnect(self) -> None:
        """Shut down a pool that the executor has made; the tasks that are running end first."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            handles = [task.handle for task in list(self._tasks.values()) if isinstance(task, EngineTask)]
            calls = {handle.future for handle in handles if handle is not None}
            for call in calls:
                call.cancel()  # a call with several tasks, which none of them cancels alone
            if self._is_ours:
                if self._limit_s is not None:
                    concurrent.futures.wait(calls, self._limit_s)
                    _end_workers(pool)
                pool.shutdown(wait=self._limit_s is None)
        self._settling.close()


def _is_breakage(error: BaseException) -> bool:
    return isinstance(error, BrokenExecutor) or type(error).__name__ in _BREAKAGES


def _end_workers(pool: Executor) -> None:
    """End the processes of a pool, which would otherwise keep Python from ending while they run a task."""
    end = getattr(pool, "kill_workers", None)  # of Python 3.14
    if end is not None:
        end()
        return
    processes: Any = getattr(pool, "_processes", None) or {}  # of the standard library and of loky
    for process in list(processes.values()):
        process.kill()
