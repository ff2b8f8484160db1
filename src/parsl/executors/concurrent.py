"""The executor that runs tasks in a pool of ``concurrent.futures``, of the script or another library."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from threading import Lock
from typing import Any, cast

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_storage_access
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import run_call, run_here
from parsl.executors.engines.requests import Request
from parsl.executors.engines.settling import SettlingThread
from parsl.executors.high_throughput.errors import ManagerLost

Pool = Executor | Callable[[], Executor]

#: What pools of other libraries fail tasks with once they can run no more, where that is no BrokenExecutor.
#: That of executorlib accepts further tasks then, and fails each.
_BREAKAGES = frozenset({"ExecutorlibSocketError"})


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

    A pool that is given remains the caller's: it is not shut down with the executor, and when it breaks, all
    tasks fail. A function that makes a pool is called at the start of each run and again after the pool has
    broken; these pools are shut down with the executor. Only tasks that still wait in the pool can be
    cancelled.

    Args:
        pool: An object with the interface of :class:`concurrent.futures.Executor`, or a function without
            parameters that returns one.
        label: The name by which apps choose this executor.
        in_process: Whether the pool's tasks share the driver's memory, so that nothing is pickled. None for
            true if the pool is a :class:`concurrent.futures.ThreadPoolExecutor`.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to; None for the current directory.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    engine = "the pool"

    label = validate.Text(allow_empty=False, one_line=True)
    pool: Pool = validate.Custom(_check_pool)
    in_process = validate.Custom(_check_in_process)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(allow_empty=False, optional=True)

    def __init__(
        self,
        pool: Pool,
        label: str = "pool",
        in_process: bool | None = None,
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
    ) -> None:
        super().__init__()
        validate.assign(self, locals())
        self._is_ours = not callable(getattr(pool, "submit", None))
        self._pool: Executor | None = None
        #: The last pool that has failed a task because it can run no more.
        self._broken: Executor | None = None
        self._shares_memory = False
        self._lock = Lock()
        #: How long a shutdown waits for running tasks, in seconds; None for no limit.
        self._limit_s: float | None = None

    def connect(self) -> None:
        """Use the pool, or make one."""
        pool: Any = self.pool
        self._use(self._new_pool() if self._is_ours else pool)
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
        except Exception as error:
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
        """Return a call as bytes, or as it is if the pool shares the driver's memory."""
        if self._shares_memory:
            return func, args, kwargs
        return super().pack_call(func, args, kwargs)

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Submit a call to the pool."""
        pool = cast(Executor, self._pool)
        try:
            future = self._submit(pool, call)
        except BrokenExecutor as error:
            pool = self._replacement(pool, error)
            future = self._submit(pool, call)
        task.handle = future
        # Pools call back with their locks held, and the next attempt needs these locks.
        future.add_done_callback(partial(self._settling.call, self._ended, task, pool))

    def _submit(self, pool: Executor, call: Any) -> Future[Any]:
        if pool is self._broken:
            raise BrokenExecutor("a worker process has ended")
        if self._shares_memory:
            return pool.submit(run_here, *call)
        return pool.submit(run_call, call)

    def _replacement(self, broken: Executor, error: BrokenExecutor) -> Executor:
        """Return a pool in the place of one that has broken. A pool that was given cannot be replaced."""
        with self._lock:
            if self._pool is broken:
                if not self._is_ours:
                    self.set_bad_state_and_fail_all(self._loss(error))
                    self.raise_if_bad()
                broken.shutdown(wait=False)
                self._use(self._new_pool())
                self._broken = None
            return cast(Executor, self._pool)

    def _ended(self, task: EngineTask, pool: Executor, future: Future[Any]) -> None:
        if future.cancelled():
            if not task.done():
                task.set_cancelled()  # by the pool's owner
        elif (error := future.exception()) is not None:
            if _is_breakage(error):
                self._broken = pool
            self.task_failed(task, error)
        elif self._shares_memory:
            task.finish(future.result())
        else:
            self.task_done(task, future.result())

    def explain(self, error: BaseException) -> BaseException:
        """Return the error for a task: ManagerLost if the pool is broken."""
        return self._loss(error) if _is_breakage(error) else super().explain(error)

    def _loss(self, error: BaseException) -> ManagerLost:
        advice = (
            "" if self._is_ours else " Give the executor a function that makes the pool to have it replaced."
        )
        loss = ManagerLost("pool", "", f"The pool of executor {self.label!r} is broken: {error}{advice}")
        loss.__cause__ = error
        return loss

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task that waits in the pool; pools cannot end running ones."""
        return task.handle is not None and task.handle.cancel()

    def current_slots(self) -> int | None:
        """Return how many tasks the pool runs at once; None if it does not say."""
        workers = getattr(self._pool, "_max_workers", None)  # of the standard library's pools and of loky
        return workers if isinstance(workers, int) else None

    def shutdown_within(self, limit_s: float) -> None:
        """Shut down, and end the workers of a pool that the executor has made after ``limit_s`` seconds."""
        self._limit_s = limit_s
        self.shutdown()

    def disconnect(self) -> None:
        """Shut down a pool that the executor has made; the tasks that are running end first."""
        pool, self._pool = self._pool, None
        if self._is_ours and pool is not None:
            if self._limit_s is not None:
                running = [task.handle for task in self._tasks.values() if isinstance(task, EngineTask)]
                concurrent.futures.wait([future for future in running if future is not None], self._limit_s)
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
