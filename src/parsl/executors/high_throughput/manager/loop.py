"""The manager: one loop that moves messages between the interchange and the node's workers."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import deque
from typing import Any

import msgspec

from parsl.common.system import nonblocking_pipe
from parsl.common.system.polling import READABLE, WRITABLE
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.manager.worker_pool import PoolBroken, WorkerPool
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.connections import RECONNECT_AFTER_S, Connection
from parsl.executors.high_throughput.wire.protocol import decode_to_manager, encode
from parsl.executors.high_throughput.wire.settings import ManagerSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.manager.resource_sampler import ResourceSampler

logger = logging.getLogger("parsl.htex.manager")

#: How long the last message has to leave, in seconds.
GOODBYE_S = 0.3
_NEVER = float("inf")


class Manager:
    """The manager's loop, which owns the connection and the pool. Runs in the main thread of its process."""

    def __init__(
        self,
        register: protocol.Register,
        settings: ManagerSettings,
        connection: Connection,
        pool: WorkerPool,
        watcher: Watcher,
        ends_at_s: float | None = None,
    ) -> None:
        #: The registration that the interchange has accepted.
        self._register = register
        self._connection = connection
        self._pool = pool
        self._watcher = watcher
        #: When the job ends, on the monotonic clock; None if unknown.
        self._ends_at_s = ends_at_s
        self._period_s = settings.heartbeat_period_s
        self._threshold_s = settings.heartbeat_threshold_s
        self._reported_capacity = pool.state.capacity
        #: Results that may not have reached the driver, with their frames, by serial number.
        self._unacknowledged: deque[tuple[int, list[protocol.Result], list[Any]]] = deque()
        self._serial = 0
        #: Whether a repeated registration is not accepted yet.
        self._is_registering = False
        self._stop_reason: str | None = None
        self._exit_code = 0
        #: Whether it got the signal that ends jobs.
        self._is_job_end = False
        #: Whether the interchange has ended or is ending, so that it reads no more messages.
        self._is_dismissed = False
        #: Whether both the interchange and the driver are gone.
        self.is_abandoned = False
        self._watches_output = False
        self._is_draining = False
        #: Whether the interchange knows that it is draining: no task is on its way any more.
        self._may_leave = False
        now = time.monotonic()
        self._heard_at = now
        self._next_heartbeat = now + self._period_s
        #: When to check whether an interrupted connection has come back by itself.
        self._reconnect_at = _NEVER
        self._drain_at = _NEVER if settings.drain_period_s is None else now + settings.drain_period_s
        self._signals, self._signal_write = nonblocking_pipe()

    def __repr__(self) -> str:
        return f"<Manager {self._register.manager} block={self._register.block} {self._pool!r}>"

    def run(self) -> int:
        """Serve until there is a reason to stop. Return the exit code of the process."""
        self._watch_signals()
        self._watcher.add(self._connection.fileno(), self._serve_connection)
        if (alarm := self._connection.alarm_fileno()) is not None:
            self._watcher.add(alarm, self._check_interruption)
            self._check_interruption(alarm)  # the descriptor does not signal earlier events
        try:
            self._pool.start()
            while self._stop_reason is None:
                self._turn()
        except PoolBroken as error:
            self._stop(str(error), exit_code=1)
        finally:
            self._send_goodbye()
            self._pool.close()
        return self._exit_code

    @property
    def error(self) -> str:
        """Why the manager has stopped, for the job's stderr; empty if that is no error."""
        return (self._stop_reason or "") if self._exit_code == 1 else ""

    def _turn(self) -> None:
        if self._connection.has_input():
            self._serve_connection(READABLE)
        self._watcher.serve(0.0 if self._connection.has_input() else self._timeout_s())
        self._pool.refill()
        if self._pool.deferred:
            self._pool.report_deferred(time.monotonic())
        self._send_results()
        self._check_clocks()

    def _stop(self, reason: str, exit_code: int) -> None:
        if self._stop_reason is None:
            self._stop_reason = reason
            self._exit_code = exit_code

    # Clocks

    def _timeout_s(self) -> float:
        moment = min(
            self._next_heartbeat,
            self._heard_at + self._threshold_s,
            self._pool.deferred.until_s,
            self._reconnect_at,
            self._pool.long_tasks.due_s,
            _NEVER if self._is_draining else self._drain_at,
        )
        if self._pool.resource_sampler is not None:
            moment = min(moment, self._pool.resource_sampler.due_s)
        if self._pool.memory_limit is not None:
            moment = min(moment, self._pool.memory_limit.due_s)
        if (deadline := self._pool.state.next_deadline()) is not None:
            moment = min(moment, deadline)
        return max(0.0, moment - time.monotonic() + 0.001)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + self._period_s
            self._send(protocol.Heartbeat())
        if now >= self._pool.long_tasks.due_s:
            self._report_started(now)
        if (sampler := self._pool.resource_sampler) is not None and now >= sampler.due_s:
            self._report_samples(sampler, now)
        if now >= self._reconnect_at:
            self._reconnect_at = _NEVER
            if self._connection.reconnect():
                logger.warning("the connection received foreign data: connecting again")
                self._report_interruption()
        if now - self._heard_at > self._threshold_s:
            self._stop(f"no message from the interchange for {self._threshold_s:g} s", exit_code=1)
        if not self._is_draining and (now >= self._drain_at or self._pool.launches_left == 0):
            why = (
                "the drain period is over"
                if now >= self._drain_at
                else "the block has started as many tasks as it may"
            )
            logger.info("%s: accepting no more tasks", why)
            self._is_draining = True
            self._send(protocol.Draining())
        if self._may_leave and not (
            self._pool.state.held or self._pool.results or self._pool.deferred or self._unacknowledged
        ):
            self._stop("drained", exit_code=0)
        self._pool.enforce_limits(now)

    # Messages from the interchange

    def _serve_connection(self, event: int) -> None:
        if event & WRITABLE:
            self._connection.flush()
            self._watch_output()
        try:
            messages = self._connection.receive()
        except EOFError:
            self._on_lost_interchange()
            return
        if messages:
            self._heard_at = time.monotonic()
        for head, *frames in messages:
            self._handle(decode_to_manager(head), frames)

    def _handle(self, message: protocol.ToManager, frames: list[Any]) -> None:
        match message:  # heartbeats have no effect of their own
            case protocol.Tasks():
                self._forget_results(message.acknowledged)
                self._pool.accept(message.tasks, message.functions, frames)
            case protocol.Acknowledged():
                self._forget_results(message.serial)
            case protocol.Cancel():
                self._pool.cancel(message.ids)
            case protocol.Reregister():
                if not self._is_registering:  # an interchange that does not know it requests this each time
                    self._register_again()
            case protocol.Welcome():
                self._is_registering = False
            case protocol.Draining():
                self._may_leave = True
            case protocol.ReportHeldTasks():
                self._report_held_tasks(message.number)
            case protocol.ReportPackages():
                self._send(protocol.Packages(_installed_packages()))
            case protocol.Stop():
                self._stop(message.reason, exit_code=0)
                self._is_dismissed = True
            case protocol.Refused():
                self._stop(f"the interchange refused this manager: {message.reason}", exit_code=1)

    def _report_held_tasks(self, number: int) -> None:
        """The connection was interrupted: earlier messages about these tasks may be lost."""
        if number:
            self._send_again()
            self._pool.long_tasks.report_again()
        self._send_results()
        self._send(protocol.HeldTasks(number, self._pool.held_ids()))
        if self._is_draining:
            self._send(protocol.Draining())

    # Lost connections and interchanges

    def _on_lost_interchange(self) -> None:
        """Wait for a replacement, which uses the same socket, as long as the driver lives."""
        self._watcher.remove(self._connection.fileno())
        if not self._connection.reopen():
            self._is_dismissed = self.is_abandoned = True
            self._stop("the interchange and the driver are gone", exit_code=1)
            return
        logger.warning("the interchange is lost: waiting for its replacement")
        self._watches_output = False
        self._watcher.add(self._connection.fileno(), self._serve_connection)
        self._register_again()

    def _register_again(self) -> None:
        """Report to a new interchange what is held here, and what may not have reached the driver."""
        unacknowledged = [result.id for _, results, _ in self._unacknowledged for result in results]
        register = msgspec.structs.replace(
            self._register,
            capacity=self._pool.state.capacity,
            held=[*unacknowledged, *(result.id for result in self._pool.results), *self._pool.held_ids()],
            draining=self._is_draining,
            launches=self._pool.launches_left,
            ends_in_s=None if self._ends_at_s is None else self._ends_at_s - time.monotonic(),
            acknowledged=self._unacknowledged[0][0] - 1 if self._unacknowledged else self._serial,
        )
        self._reported_capacity = register.capacity
        self._is_registering = True
        self._send(register)
        self._send_again()
        self._pool.long_tasks.report_again()
        if self._is_draining:
            self._send(protocol.Draining())

    def _check_interruption(self, _: int) -> None:
        """Report interruptions, which the interchange misses if a new connection has replaced the old one."""
        if self._connection.was_interrupted():
            logger.warning("the connection to the interchange was interrupted")
            self._report_interruption()

    def _report_interruption(self) -> None:
        # What was sent before the break comes first: a registration must not miss tasks among it.
        while self._connection.has_input():
            self._serve_connection(READABLE)
        self._reconnect_at = time.monotonic() + RECONNECT_AFTER_S
        self._is_registering = False  # a registration may have been lost
        self._send(protocol.Interrupted())

    # Messages to the interchange

    def _send(self, message: Any, frames: list[Any] | None = None) -> None:
        self._connection.send([encode(message), *(frames or ())])
        self._watch_output()

    def _send_results(self) -> None:
        pool, capacity = self._pool, self._pool.state.capacity
        if not pool.results and capacity == self._reported_capacity:
            return
        results, pool.results = pool.results, []
        frames, pool.frames = pool.frames, []
        self._reported_capacity = capacity
        serial = 0
        if results:
            serial = self._serial = self._serial + 1
            self._unacknowledged.append((serial, results, frames))
        self._send(protocol.Results(results, capacity, serial), frames)

    def _report_started(self, now: float) -> None:
        if tasks := self._pool.long_tasks.take(self._pool.state.workers, now):
            self._send(protocol.Started(tasks))

    def _report_samples(self, sampler: ResourceSampler, now: float) -> None:
        if samples := sampler.take(self._pool.state.workers, now):
            self._send(protocol.Measured(samples))

    def _send_again(self) -> None:
        capacity = self._pool.state.capacity
        for serial, results, frames in self._unacknowledged:
            self._send(protocol.Results(results, capacity, serial), frames)

    def _forget_results(self, serial: int) -> None:
        unacknowledged = self._unacknowledged
        while unacknowledged and unacknowledged[0][0] <= serial:
            unacknowledged.popleft()

    def _send_goodbye(self) -> None:
        reason = self._stop_reason or "an error in the manager; see its log"
        logger.log(logging.ERROR if self._exit_code == 1 else logging.INFO, "stopping: %s", reason)
        if not self._is_dismissed:
            self._send_results()
            ran_s = self._pool.running_s(time.monotonic())
            self._send(protocol.Goodbye(reason, self._is_job_end, ran_s))
        self._connection.close(0.0 if self._is_dismissed else GOODBYE_S)

    def _watch_output(self) -> None:
        is_needed = self._connection.has_unsent()
        if is_needed != self._watches_output:
            self._watches_output = is_needed
            self._watcher.watch_output(self._connection.fileno(), is_needed)

    # Signals

    def _watch_signals(self) -> None:
        signal.set_wakeup_fd(self._signal_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver handles Ctrl-C
        self._watcher.add(self._signals, lambda _: os.read(self._signals, 64))

    def _on_signal(self, number: int, _: Any) -> None:
        self._is_job_end = self._is_job_end or number == signal.SIGTERM
        self._stop(f"its process got {signal.Signals(number).name}", exit_code=128 + number)


def _installed_packages() -> dict[str, str]:
    from importlib import metadata

    found = ((package.metadata["Name"], package.version) for package in metadata.distributions())
    return {name: version for name, version in found if name}
