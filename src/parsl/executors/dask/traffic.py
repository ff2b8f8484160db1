"""Tasks on their way to a Dask cluster, and their outcomes on the way back.

Everything travels in batches: what has queued up while the last batch was being sent, or fetched, goes
together. When idle, a task leaves at once. Nothing polls, and there are no timers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from parsl.executors.dask.remote_values import KeptOutcome, run_and_report, run_with_kept
from parsl.executors.dask.topics import outcome_topic, task_key
from parsl.executors.engines.kept_results import OnFetched
from parsl.executors.engines.settling import SettlingThread

logger = logging.getLogger(__name__)

#: A batch ends with the call that exceeds this number of bytes.
MAX_BATCH_BYTES = 4_000_000
#: A call of this size goes to a worker as data. Within a graph, the scheduler would unpickle and pickle it.
MIN_SCATTERED_BYTES = 2_000_000
#: How many such calls are on their way at once. The scheduler holds them until there is a worker.
MAX_SCATTERS = 4

_numbers = count()


class Options(NamedTuple):
    """What Dask needs to know about a task. Tasks with equal options travel together."""

    priority: float = 0
    #: Amounts of the workers' abstract resources, sorted by name.
    resources: tuple[tuple[str, float], ...] = ()


NO_OPTIONS = Options()


class Call:
    """One task on its way: the executor's task, and Dask's future for it once it was sent."""

    __slots__ = (
        "future", "has_arrived", "is_cancelled", "kept", "number", "options", "payload", "prefix", "task",
        "watch",
    )  # fmt: skip

    def __init__(
        self, task: Any, prefix: str, packed: bytes, options: Options, topic: str, kept: Sequence[Any] = ()
    ) -> None:
        self.task = task
        self.number = next(_numbers)
        #: The name of the function, by which Dask groups tasks and estimates their duration.
        self.prefix = prefix
        #: The bytes to send; None once they were sent.
        self.payload: Any = packed if kept else packed_for_dask(packed, topic, self.number)
        self.options = options
        #: Dask's futures of the arguments that have stayed in the cluster.
        self.kept = kept
        self.future: Any = None
        self.watch: Any = None
        self.is_cancelled = False
        #: Whether the outcome has arrived as an event.
        self.has_arrived = False


class _RunCall:
    """Unpickling it runs a call, and gives its outcome."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return run_and_report, self.arguments


def packed_for_dask(packed: bytes, topic: str, number: int) -> bytes:
    """Return a call as bytes for which Dask runs ``pickle.loads``.

    Messages to a worker therefore name no module of Parsl: a worker that cannot read a message closes its
    connection, and the reason is lost. This way, on a worker without Parsl, the task fails with the reason.
    """
    return pickle.dumps(_RunCall(packed, topic, number), 5)


class Traffic:
    """Sends calls, and delivers their outcomes. Its coroutines run in the loop of Dask's client.

    A thread delivers outcomes, and runs the callbacks of users. The loop cannot do that: callbacks may take
    long, and the loop is that of the client and often of the scheduler.

    Args:
        client: The ``distributed.Client``.
        deliveries: The thread.
        on_done: Called by the thread with the task and the bytes of its outcome.
        on_kept: Called by the thread with the task and Dask's future of a large result.
        on_failed: Called by the thread with the task and the error of Dask.
        on_lost: Called by the thread, once, with the reason, when the scheduler is lost.
        keeps_results: Whether large results stay in the cluster.
    """

    def __init__(
        self,
        client: Any,
        deliveries: SettlingThread,
        on_done: Callable[[Any, Any], object],
        on_kept: Callable[[Any, Any], object],
        on_failed: Callable[[Any, BaseException], object],
        on_lost: Callable[[str], object],
        *,
        keeps_results: bool,
    ) -> None:
        self._client = client
        self._on_done = on_done
        self._on_kept = on_kept
        self._on_failed = on_failed
        self._on_lost = on_lost
        self._outbox: deque[Call] = deque()
        self._is_woken = False
        self._abandoned: list[Call] = []
        self._ended: list[Call] = []
        #: The calls whose outcomes may arrive as events, by number.
        self._by_number: dict[int, Call] = {}
        self._arrivals: list[tuple[Call, bytes]] = []
        self.topic = outcome_topic(client.id)
        client.subscribe_topic(self.topic, self._arrived)
        self._is_fetching = False
        self._is_lost = False
        self._keeps_results = keeps_results
        self._scatters = asyncio.Semaphore(MAX_SCATTERS)
        self._deliveries = deliveries

    # Any thread

    def send(self, call: Call) -> None:
        """Send a call, at once if nothing else is being sent."""
        self._outbox.append(call)
        if not self._is_woken:
            self._is_woken = True
            self._client.loop.add_callback(self._send_queued)

    def fetch_kept(self, future: Any, on_fetched: OnFetched) -> None:
        """Fetch an outcome that has stayed in the cluster.

        Args:
            future: Dask's future of the outcome.
            on_fetched: Called in the loop, with the outcome or an error.
        """
        self._client.loop.add_callback(self._fetch_kept, future, on_fetched)

    def cancel(self, call: Call, timeout_s: float) -> bool:
        """Cancel a call unless it is running; return whether it is cancelled. Waits for the scheduler."""
        answer: Future[bool] = Future()
        self._client.loop.add_callback(self._cancel, call, answer)
        try:
            return answer.result(timeout_s)
        except concurrent.futures.TimeoutError:
            # A future that is running or done means that the cancellation is decided.
            return not answer.cancel() and (answer.running() or answer.result())

    def abandon(self, call: Call) -> None:
        """Drop a call, without waiting: its outcome is not needed, whether it runs or not."""
        call.is_cancelled = True
        self._abandoned.append(call)
        if len(self._abandoned) == 1:
            self._client.loop.add_callback(self._cancel_abandoned)

    def stop(self) -> None:
        """Accept no more outcomes, and unsubscribe unless the scheduler is lost."""
        if self._client.status == "running":
            self._client.loop.add_callback(self._client.unsubscribe_topic, self.topic)

    # The client's loop

    def _send_queued(self) -> None:
        self._is_woken = False  # before the queue is read, so that later calls wake the loop again
        while self._outbox:
            for options, calls in _batches(self._take()):
                try:
                    self._send_batch(options, calls)
                except Exception as error:
                    self._fail([call for call in calls if call.future is None], error)

    def _take(self) -> list[Call]:
        taken, size = [], 0
        while self._outbox and size < MAX_BATCH_BYTES:
            call = self._outbox.popleft()
            if call.is_cancelled:
                continue
            if len(call.payload) >= MIN_SCATTERED_BYTES:
                call.watch = asyncio.ensure_future(self._send_large(call))
                continue
            taken.append(call)
            size += len(call.payload)
        return taken

    async def _send_large(self, call: Call) -> None:
        try:
            async with self._scatters:
                data = await self._scatter(call)
            if data is not None and not call.is_cancelled:
                call.payload = data
                self._send_batch(call.options, [call])
        except Exception as error:
            self._fail([call], error)

    async def _scatter(self, call: Call) -> Any:
        while not call.is_cancelled and not self._is_lost:
            try:
                return (await self._client.scatter([call.payload], hash=False, asynchronous=True))[0]
            except (TimeoutError, asyncio.TimeoutError):
                continue  # there is no worker yet
        return None

    def _send_batch(self, options: Options, calls: list[Call]) -> None:
        function: Callable[..., Any] = pickle.loads  # see packed_for_dask
        arguments: list[list[Any]] = [[call.payload for call in calls]]
        if calls[0].kept:
            function = run_with_kept
            arguments.append([list(call.kept) for call in calls])
        self._by_number.update((call.number, call) for call in calls)
        futures = self._client.map(
            function,
            *arguments,
            key=[task_key(call.prefix, self._client.id, call.number) for call in calls],
            pure=False,
            retries=0,
            priority=options.priority,
            resources=dict(options.resources) or None,
        )
        for call, future in zip(calls, futures, strict=True):
            call.future, call.payload, call.kept = future, None, ()
            call.watch = asyncio.ensure_future(self._follow(call))

    async def _follow(self, call: Call) -> None:
        # The futures' own callbacks run in yet another thread, and cost more than the whole rest.
        future = call.future
        await future._state.wait()
        self._by_number.pop(call.number, None)
        if call.has_arrived:
            return
        self._ended.append(call)
        if not self._is_fetching:
            self._is_fetching = True
            await asyncio.sleep(0)  # those whose end was in the same message go together
            await self._fetch()

    def _arrived(self, event: tuple[float, tuple[int, bytes]]) -> None:
        """Take an outcome. All that are in one message of the scheduler are delivered together."""
        number, outcome = event[1]
        call = self._by_number.pop(number, None)
        if call is not None and not call.is_cancelled:
            call.has_arrived = True
            self._arrivals.append((call, outcome))
            if len(self._arrivals) == 1:
                asyncio.get_running_loop().call_soon(self._deliver_arrivals)

    def _deliver_arrivals(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        self._deliveries.call(self._done, arrivals)

    async def _fetch(self) -> None:
        """Fetch the outcomes of all tasks that have ended, and then of those that have ended meanwhile."""
        try:
            while self._ended:
                calls, self._ended = self._ended, []
                await self._fetch_batch([call for call in calls if not call.is_cancelled])
        finally:
            self._is_fetching = False

    async def _fetch_batch(self, calls: list[Call]) -> None:
        finished = [call for call in calls if call.future.status == "finished"]
        failed = [call for call in calls if call.future.status != "finished"]
        kept = [call for call in finished if self._stays(call)]
        needed = [call for call in finished if not self._stays(call)]
        self._keep(kept)
        if needed:
            failed += await self._fetch_outcomes(needed)
        self._fail_ended(failed)

    def _stays(self, call: Call) -> bool:
        return self._keeps_results and call.future.type is KeptOutcome

    async def _fetch_outcomes(self, calls: list[Call]) -> list[Call]:
        """Fetch and deliver outcomes; return the calls whose outcomes were lost with their workers."""
        futures = {number: call.future for number, call in enumerate(calls)}
        try:
            outcomes = await self._client.gather(futures, errors="skip", asynchronous=True)
        except Exception as error:
            self._fail(calls, error)
            return []
        found = [
            (calls[number], outcome.data if type(outcome) is KeptOutcome else outcome)
            for number, outcome in outcomes.items()
            if outcome is not None
        ]
        lost = [calls[number] for number, outcome in outcomes.items() if outcome is None]
        if found:
            self._deliveries.call(self._done, found)
        return lost

    def _keep(self, calls: list[Call]) -> None:
        if calls:
            self._deliveries.call(self._kept, calls)

    async def _fetch_kept(self, future: Any, on_fetched: OnFetched) -> None:
        outcome, error = None, None
        try:
            outcome = (await self._client.gather([future], asynchronous=True))[0].data
        except BaseException as failure:
            error = failure
        on_fetched(outcome, error)

    def _fail_ended(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if not call.is_cancelled:
                error = call.future._state.exception or RuntimeError(f"its future is {call.future.status}")
                self._fail([call], error)

    def _fail(self, calls: list[Call], error: BaseException) -> None:
        if calls:
            self._deliveries.call(self._failed, calls, error)

    async def _cancel(self, call: Call, answer: Future[bool]) -> None:
        try:
            is_waiting = await self._is_waiting(call, answer)
        except Exception as error:
            logger.info("The scheduler has not reported whether a task runs: %s", error)
            is_waiting = False
        if not is_waiting:
            with suppress(InvalidStateError):
                answer.set_result(False)
        elif answer.set_running_or_notify_cancel():  # otherwise, False was returned meanwhile
            call.is_cancelled = True
            await self._cancel_in_cluster([call])
            answer.set_result(True)

    async def _is_waiting(self, call: Call, answer: Future[bool]) -> bool:
        if call.payload is not None:
            return True  # it is still in the outbox
        future = call.future
        while future is not None and not call.has_arrived and future.status == "pending":
            if answer.cancelled():
                return False
            try:
                runs = await self._client.call_stack(keys=[future.key])
            except KeyError:
                continue  # the scheduler has not read the task yet
            if runs:
                return False
            if future.status == "pending" and not call.has_arrived:
                return True
        return False

    async def _cancel_abandoned(self) -> None:
        calls, self._abandoned = self._abandoned, []
        await self._cancel_in_cluster(calls)

    async def _cancel_in_cluster(self, calls: Iterable[Call]) -> None:
        futures = [call.future for call in calls if call.future is not None]
        if futures and self._client.status == "running":
            try:
                await self._client.cancel(futures, asynchronous=True)
            except Exception as error:
                logger.info("The scheduler did not receive the cancellation of tasks: %s", error)

    def lost(self, reason: str) -> None:
        """Report that the scheduler is lost; only the first report counts."""
        if not self._is_lost:
            self._is_lost = True
            self._deliveries.call(self._on_lost, reason)

    # The thread of deliveries

    def _done(self, outcomes: list[tuple[Call, Any]]) -> None:
        for call, outcome in outcomes:
            call.future = None  # releases the result in the cluster
            try:
                self._on_done(call.task, outcome)
            except BaseException as error:  # such as SystemExit, when a result is unpickled
                self._failed([call], error)

    def _kept(self, calls: list[Call]) -> None:
        for call in calls:
            future, call.future = call.future, None
            self._on_kept(call.task, future)

    def _failed(self, calls: list[Call], error: BaseException) -> None:
        for call in calls:
            call.future = None
            try:
                self._on_failed(call.task, error)
            except BaseException:
                logger.exception("A task that Dask has failed could not be ended: %r", error)


def _batches(calls: list[Call]) -> Iterable[tuple[Options, list[Call]]]:
    """Group calls that travel together: with equal options, and with or without arguments in the cluster."""
    groups: dict[tuple[Options, bool], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.options, bool(call.kept)), []).append(call)
    return [(options, members) for (options, _), members in groups.items()]
