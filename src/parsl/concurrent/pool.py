"""A ``concurrent.futures`` executor whose calls are tasks of a kernel."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError, Executor, Future
from itertools import islice
from time import monotonic

from parsl import validate
from parsl.app.base import AppBase
from parsl.app.python import PythonApp
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.loader import DataFlowKernelLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any, Literal, TypeVar

    from parsl.config import Config
    from parsl.dataflow.futures import AppFuture

    T = TypeVar("T")


class ParslPoolExecutor(Executor):
    """Runs function calls as Parsl tasks, for code written for the pools of ``concurrent.futures``.

    The futures are those of apps: they can be arguments of further calls and of apps, and the futures of apps
    can be arguments here. Any thread may use it.

    Args:
        config: The configuration to load. :meth:`shutdown` ends its run. Apps can be called meanwhile, as
            after ``parsl.load(config)``.
        dfk: Instead of ``config``, a running kernel. It continues after the pool's shutdown.
        executors: The labels of the executors to use, or ``"all"``.

    Raises:
        ValueError: Neither or both of ``config`` and ``dfk`` are given.
        ConfigurationError: Another configuration is loaded.
    """

    def __init__(
        self,
        config: Config | None = None,
        dfk: DataFlowKernel | None = None,
        executors: Literal["all"] | list[str] = "all",
    ) -> None:
        if config is None and dfk is None:
            raise ValueError("Must specify one of config or dfk: ParslPoolExecutor(config=Config(...))")
        if config is not None and dfk is not None:
            raise ValueError("Specify only one of config or dfk: a kernel has its configuration already")
        self._owns_kernel = dfk is None
        self._dfk = DataFlowKernelLoader.load(config) if dfk is None else dfk
        self.executors = executors
        self._apps: dict[Any, AppBase[..., Any]] = {}
        self._chunk_apps: dict[Any, AppBase[..., Any]] = {}
        self._unfinished: set[Future[Any]] = set()
        self._is_shut_down = False

    @property
    def app_count(self) -> int:
        """The number of functions that have become apps."""
        return len(self._apps)

    def get_app(self, fn: Callable[..., Any]) -> Any:
        """Return the app of a function. An app is returned as it is."""
        if isinstance(fn, AppBase):
            return fn
        return _cached(self._apps, fn, lambda: self._new_app(fn))

    def submit(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> AppFuture[T]:  # type: ignore[override]
        """Submit a call. Futures among the arguments are dependencies.

        Args:
            fn: The function.
            args: Its positional arguments.
            kwargs: Its keyword arguments, and Parsl's own: ``walltime``, ``stdout``, ...

        Returns:
            The future of the function's result. Its ``cancel()`` cancels running calls, too, where possible.

        Raises:
            RuntimeError: The pool has been shut down.
        """
        return self._submit(self.get_app(fn), args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call a function for each item, or for the items of several iterables side by side.

        Args:
            fn: The function.
            iterables: The arguments of the calls. The shortest iterable determines their number.
            timeout: The time limit for all results, from this call on (seconds); None for no limit.
            chunksize: The number of calls in one task: more for very short calls.
            buffersize: The number of tasks to submit ahead of the results taken; None for all at once. With
                it, the iterables may be of any length.

        Returns:
            The results, in the order of the items. Closing the iterator cancels the remaining calls.

        Raises:
            RuntimeError: The pool has been shut down.
            ValueError: ``chunksize`` or ``buffersize`` is less than 1.
            TimeoutError: (from the iterator) A result is late.
        """
        validate.integer("map", "chunksize", chunksize, low=1)
        validate.integer("map", "buffersize", buffersize, low=1, optional=True)
        deadline_s = None if timeout is None else monotonic() + timeout
        self._check_open()
        tasks = self._map_tasks(fn, zip(*iterables, strict=False), chunksize)
        under_way = deque(islice(tasks, buffersize))
        results = self._results(under_way, tasks, deadline_s)
        return results if chunksize == 1 else _flat(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and end the run if the pool has started it.

        Args:
            wait: Whether to wait for the submitted calls. If not, a thread ends the pool's run when they are
                done.
            cancel_futures: Whether to cancel those calls, including running ones where that is possible.
        """
        self._is_shut_down = True
        if cancel_futures:
            for future in list(self._unfinished):
                future.cancel()
        if wait:
            self._end()
        elif self._owns_kernel and not self._dfk.cleanup_called:
            threading.Thread(target=self._end, name="ParslPoolExecutor-shutdown").start()

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Literal[False]:
        self.shutdown(
            wait=True, cancel_futures=exc_type is not None and issubclass(exc_type, KeyboardInterrupt)
        )
        return False

    def _new_app(self, fn: Callable[..., Any]) -> AppBase[..., Any]:
        return PythonApp(fn, data_flow_kernel=self._dfk, executors=self.executors)

    def _check_open(self) -> None:
        if self._is_shut_down:
            raise RuntimeError(
                "cannot schedule new futures after shutdown: the ParslPoolExecutor was shut down"
            )

    def _submit(self, app: Any, args: Iterable[Any], kwargs: dict[str, Any]) -> AppFuture[Any]:
        self._check_open()
        future: AppFuture[Any] = app(*args, **kwargs)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def _map_tasks(
        self, fn: Callable[..., Any], calls: Iterator[tuple[Any, ...]], chunksize: int
    ) -> Generator[AppFuture[Any], None, None]:
        if chunksize == 1:
            app = self.get_app(fn)
            for args in calls:
                yield self._submit(app, args, {})
            return
        func = fn._task_function if isinstance(fn, AppBase) else fn
        app = _cached(self._chunk_apps, fn, lambda: self._new_app(Chunk(func)))
        while chunk := list(islice(calls, chunksize)):
            width = len(chunk[0])
            yield self._submit(app, (width, *(arg for args in chunk for arg in args)), {})

    def _results(
        self, under_way: deque[AppFuture[Any]], tasks: Iterator[AppFuture[Any]], deadline_s: float | None
    ) -> Generator[Any, None, None]:
        try:
            while under_way:
                future = under_way[0]
                result = future.result(None if deadline_s is None else max(0.0, deadline_s - monotonic()))
                under_way.popleft()
                under_way.extend(islice(tasks, 1))
                del future
                yield result
        finally:
            for future in under_way:
                future.cancel()

    def _end(self) -> None:
        for future in list(self._unfinished):
            try:
                future.exception()
            except CancelledError:
                continue
        if self._owns_kernel:
            self._dfk.cleanup()
            DataFlowKernelLoader.forget(self._dfk)

    def __repr__(self) -> str:
        state = "shut down" if self._is_shut_down else "open"
        return f"<{type(self).__name__} {state}, {len(self._unfinished)} unfinished, {self.app_count} apps>"


class Chunk:
    """Makes several calls of a function in one task.

    The arguments of all calls are positional arguments of the task, so that futures among them are found.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, width: int, /, *args: Any) -> list[Any]:
        return [self.func(*args[i : i + width]) for i in range(0, len(args), width)]

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__}>"


def _cached(apps: dict[Any, AppBase[..., Any]], fn: Any, make: Callable[[], AppBase[..., Any]]) -> Any:
    try:
        return apps[fn]
    except KeyError:
        return apps.setdefault(fn, make())
    except TypeError:  # the function is not hashable
        return make()


def _flat(chunks: Generator[list[Any], None, None]) -> Generator[Any, None, None]:
    try:
        for chunk in chunks:
            yield from chunk
    finally:
        chunks.close()
