"""Large results that stay in an engine until they are needed elsewhere."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import InvalidStateError, wait
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from parsl import validate
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import Outcome, read_outcome
from parsl.executors.engines.settling import LastingThread, SettlingThread
from parsl.executors.errors import ExecutorError
from parsl.vocabulary.kept_value import KeptValue, take_collected
from parsl.vocabulary.lean_future import LeanFuture, done_future
from parsl.vocabulary.run_observer import Accounting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.vocabulary.lean_future import Callbacks

#: How long the end of a run waits for results that are still in the engine, in seconds.
KEPT_S = 300.0

#: Called with what ``run_call`` has returned, or with None and an error. It returns at once.
OnFetched = Callable[[Any, BaseException | None], object]


class _FetchedValue(LeanFuture[Any]):
    """The future of a result that is being fetched.

    Threads that wait for it continue at once. Callbacks run in a thread where they may wait for another such
    future.

    Args:
        deliveries: Runs callbacks.
    """

    __slots__ = ("_deliveries",)

    def __init__(self, deliveries: SettlingThread) -> None:
        super().__init__()
        self._deliveries = deliveries

    def _run_callbacks(self, callbacks: Callbacks) -> None:
        self._deliveries.call(LeanFuture._run_callbacks, self, callbacks)


class KeptResults:
    """The results of one run that are in the engine, and the two threads that deliver and fetch results.

    Any thread may use it. Callbacks of users run in the thread of deliveries, and may wait for what the other
    one completes.

    Args:
        executor: The executor; its ``fetch_kept`` begins to fetch a result.
    """

    def __init__(self, executor: KeepingExecutor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self._values: WeakSet[KeptValue] = WeakSet()
        self._fetching: set[_FetchedValue] = set()
        self._is_closed = False
        name = f"parsl-{executor.label}"
        #: Delivers outcomes, and runs callbacks.
        self.deliveries = LastingThread(f"{name}-deliveries")
        self._fetches = LastingThread(f"{name}-fetches")

    def __repr__(self) -> str:
        counts = f"{len(self._values)} kept, {len(self._fetching)} on the way"
        return f"<KeptResults of {self._executor.label!r}: {counts}>"

    def keep(self, task: EngineTask, handle: Any, accounting: Accounting | None = None) -> None:
        """End a task whose result stays in the engine.

        Args:
            task: The task.
            handle: What :meth:`KeepingExecutor.fetch_kept` needs to find the result.
            accounting: What the attempt has used, if that is known.
        """
        task.handle = None  # a cycle of the task and its handle would keep the result in the engine
        value = KeptValue(self._executor, handle, self._fetch)
        with self._lock:
            self._values.add(value)
        task.finish(Outcome(value, None, accounting))

    def _fetch(self, value: KeptValue) -> LeanFuture[Any]:
        if self._is_closed:
            return done_future(None, self._after_shutdown())
        fetched = _FetchedValue(self.deliveries)
        with self._lock:
            self._fetching.add(fetched)

        def on_fetched(outcome: Any, error: BaseException | None) -> None:
            self._fetches.call(self._settle, fetched, outcome, error)

        try:
            self._executor.fetch_kept(value.handle, on_fetched)
        except Exception as error:  # of an engine that is lost
            on_fetched(None, error)
        return fetched

    def _settle(self, fetched: _FetchedValue, outcome: Any, error: BaseException | None) -> None:
        result = None
        if error is None:
            result, error, *_ = read_outcome(outcome)
        self._end(fetched, result, None if error is None else self._executor.explain(error))

    def _end(self, fetched: _FetchedValue, result: Any, error: BaseException | None) -> None:
        with self._lock:
            self._fetching.discard(fetched)
        with suppress(InvalidStateError):  # the engine was lost meanwhile
            if error is not None:
                fetched.set_exception(error)
            else:
                fetched.set_result(result)

    def handles(self) -> list[Any]:
        """Return the handles of the results that the script can still request."""
        with self._lock:
            return [value.handle for value in self._values]

    def fetch_all(self, limit_s: float) -> None:
        """Fetch the results that the script can still request; wait no longer than ``limit_s`` seconds."""
        with self._lock:
            values = list(self._values)
        wait([value.fetch() for value in values], limit_s)

    def fail_fetches(self, error: BaseException) -> None:
        """Fail what is being fetched."""
        with self._lock:
            fetching = list(self._fetching)
        for fetched in fetching:
            self._end(fetched, None, error)

    def close(self) -> None:
        """Deliver what has arrived, fail what is still being fetched, and end the threads."""
        self._is_closed = True
        self._fetches.close()
        self.fail_fetches(self._after_shutdown())
        self.deliveries.close()

    def _after_shutdown(self) -> ExecutorError:
        return ExecutorError(self._executor, "it was shut down before the result was fetched")


class KeepingExecutor(EngineExecutor):
    """An executor whose engine can keep large results. Extend it to connect one more.

    In addition to what :class:`EngineExecutor` needs, a subclass makes a :class:`KeptResults` when it
    connects, closes that when it disconnects, and overrides :meth:`fetch_kept`. The call that ``start_task``
    receives consists of the bytes, and of the handles of those arguments that are in the engine.
    """

    keep_results = validate.Boolean()

    _kept: KeptResults | None = None

    def pack_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a call as bytes, and the handles of its arguments that have stayed in the engine."""
        try:
            packed = super().pack_call(func, args, kwargs)
        finally:
            kept = take_collected()
        return packed, [value.handle for value in kept]

    @abstractmethod
    def fetch_kept(self, handle: Any, on_fetched: OnFetched) -> None:
        """Begin to fetch a result that has stayed in the engine, and return at once."""

    def set_bad_state_and_fail_all(self, exception: BaseException) -> None:
        """Fail for good, as in the base class; results that are being fetched are lost."""
        super().set_bad_state_and_fail_all(exception)
        if self._kept is not None:
            self._kept.fail_fetches(self.explain(exception))

    def shutdown(self) -> None:
        """Fetch the results that are in the engine and that the script can still request; then end."""
        self.shutdown_within(KEPT_S)

    def shutdown_within(self, limit_s: float) -> None:
        """Do the same, but wait for these results no longer than ``limit_s`` seconds."""
        if self._kept is not None and not self.bad_state_is_set:
            self._kept.fetch_all(limit_s)
        super().shutdown()
