"""A manager: owns one node, and speaks for its workers to the interchange.

One loop over all descriptors: the connection to the interchange, the fork server's channel, a channel to each
worker. The workers are `worker_pool`'s business; this file moves messages and watches clocks.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
from parsl.executors.high_throughput.manager.memory_limit import GIB, MemoryLimit
from parsl.executors.high_throughput.manager.worker_pool import PoolBroken, WorkerPool
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.connections import RECONNECT_AFTER_S, Connection
from parsl.executors.high_throughput.wire.protocol import decode_to_manager, encode
from parsl.executors.high_throughput.wire.settings import ManagerSettings

logger = logging.getLogger("parsl.htex.manager")

#: How long the last message has to get out, in seconds.
GOODBYE_S = 0.3


class Manager:
    """Owns the loop. Single-threaded; everything in it belongs to the main thread of its process.

    Args:
        register: how it has introduced itself.
        settings: the executor's settings.
        connection: to the interchange, which has said welcome.
        places: environment and CPUs of each worker.
        fork_server: the channel to the process that starts workers.
        nodes: names of the nodes to give to tasks; none where tasks do not ask for nodes.
        ends_at_s: when the job is ended, on the monotonic clock; None if nobody knows.
    """

    def __init__(
        self,
        register: protocol.Register,
        settings: ManagerSettings,
        connection: Connection,
        places: list[tuple[dict[str, str], list[int]]],
        fork_server: Any,
        nodes: Sequence[str] = (),
        ends_at_s: float | None = None,
    ) -> None:
        self._register = register
        self._identity = identity = PoolIdentity(register.manager, register.block, register.host)
        self._connection = connection
        self._period_s = settings.heartbeat_period_s
        self._threshold_s = settings.heartbeat_threshold_s
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        log_dir = manager_log_dir(settings, identity)
        self._pool = _pool_type(settings, nodes, log_dir)(
            identity,
            places,
            prefetch=settings.prefetch,
            spool=settings.spool,
            worker_log_dir=log_dir if settings.debug else "",
            ends_at_s=ends_at_s,
            memory_limit=_memory_limit(settings),
            fork_server=fork_server,
            watch=self._watch,
            rewatch=self._epoll.modify,
            unwatch=self._unwatch,
        )
        self._ends_at_s = ends_at_s
        self._told_capacity = self._pool.state.capacity
        #: Results that may not have got to the driver, with their frames, by their messages' serial numbers.
        self._unacknowledged: deque[tuple[int, list[protocol.Result], list[Any]]] = deque()
        self._serial = 0
        #: It has registered again, and was not welcomed yet.
        self._is_registering = False
        self._stop_reason: str | None = None
        self._exit_code = 0
        #: It was told to end by what ends the job.
        self._is_job_end = False
        #: The interchange has said that it ends: nobody reads any more.
        self._is_dismissed = False
        #: Nobody listens any more where the interchange and the driver were.
        self.is_abandoned = False
        self._watches_output = False
        self._is_draining = False
        #: The interchange has noted that: what it has sent before has come.
        self._may_leave = False
        now = time.monotonic()
        self._heard_at = now
        self._next_beat = now + self._period_s
        #: When to see whether the connection, which was interrupted, comes back by itself.
        self._reconnect_at = float("inf")
        self._drain_at = float("inf") if settings.drain_period_s is None else now + settings.drain_period_s
        self._signals, self._signal_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<Manager {self._identity.manager} block={self._identity.block} {self._pool!r}>"

    def run(self) -> int:
        """Serve until told to stop. Returns: the exit code of the process."""
        self._watch_signals()
        self._watch(self._connection.fileno(), self._serve_connection)
        if (alarm := self._connection.alarm_fileno()) is not None:
            self._watch(alarm, self._tell_of_interruption)
            self._tell_of_interruption(alarm)  # what came before is not told again
        try:
            self._pool.start()
            while self._stop_reason is None:
                self._turn()
        except PoolBroken as error:
            self._stop(str(error), exit_code=1)
        finally:
            self._say_goodbye()
            self._pool.close()
        return self._exit_code

    def _turn(self) -> None:
        if self._connection.has_input():
            self._serve_connection(select.EPOLLIN)
        timeout_s = 0.0 if self._connection.has_input() else self._timeout_s()
        for fd, event in self._epoll.poll(timeout_s):
            if fd in self._handlers:
                self._handlers[fd](event)
        self._pool.settle()
        if self._pool.doubts:
            self._pool.end_doubts(time.monotonic())
        self._send_results()
        self._check_clocks()

    def _stop(self, reason: str, exit_code: int) -> None:
        if self._stop_reason is None:
            self._stop_reason = reason
            self._exit_code = exit_code

    # Clocks

    def _timeout_s(self) -> float:
        moment = min(self._next_beat, self._heard_at + self._threshold_s, self._pool.doubts.until_s)
        moment = min(moment, self._reconnect_at)
        if not self._is_draining:
            moment = min(moment, self._drain_at)
        if self._pool.memory_limit is not None:
            moment = min(moment, self._pool.memory_limit.due_s)
        if (deadline := self._pool.state.next_deadline()) is not None:
            moment = min(moment, deadline)
        return max(0.0, moment - time.monotonic() + 0.001)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + self._period_s
            self._tell(protocol.Heartbeat())
        if now >= self._reconnect_at:
            self._reconnect_at = float("inf")
            if self._connection.reconnect():
                logger.warning("what came over the connection was not the interchange's: connecting again")
                self._begin_again()
        if now - self._heard_at > self._threshold_s:
            self._stop(f"nothing was heard from the interchange for {self._threshold_s:g} s", exit_code=1)
        if not self._is_draining and (now >= self._drain_at or self._pool.is_used_up):
            why = "the drain period is over" if now >= self._drain_at else "the block is used up"
            logger.info("%s: taking no more tasks", why)
            self._is_draining = True
            self._tell(protocol.Draining())
        if self._may_leave and not (
            self._pool.state.held or self._pool.results or self._pool.doubts or self._unacknowledged
        ):
            self._stop("drained", exit_code=0)
        self._pool.end_overdue(now)

    # The interchange

    def _serve_connection(self, event: int) -> None:
        if event & select.EPOLLOUT:
            self._connection.flush()
            self._watch_output()
        try:
            messages = self._connection.receive()
        except EOFError:
            self._reconnect()
            return
        if messages:
            self._heard_at = time.monotonic()
        for head, *frames in messages:
            self._take(decode_to_manager(head), frames)

    def _take(self, message: Any, frames: list[Any]) -> None:
        if isinstance(message, protocol.Tasks):
            self._forget_results(message.acknowledged)
            self._pool.accept(message.tasks, message.functions, frames)
        elif isinstance(message, protocol.Acknowledged):
            self._forget_results(message.serial)
        elif isinstance(message, protocol.Reregister):
            if not self._is_registering:  # it asks for each message that it cannot place
                self._register_again()
        elif isinstance(message, protocol.Welcome):
            self._is_registering = False
        elif isinstance(message, protocol.Cancel):
            self._pool.cancel(message.ids)
        elif isinstance(message, protocol.Draining):
            self._may_leave = True
        elif isinstance(message, protocol.ReportHeldTasks):
            self._say_what_is_held(message.number)
        elif isinstance(message, protocol.Stop):
            self._stop(message.reason, exit_code=0)
            self._is_dismissed = True
        elif isinstance(message, protocol.ReportPackages):
            self._tell(protocol.Packages(_installed_packages()))
        elif isinstance(message, protocol.Refused):
            self._stop(f"the interchange has given this manager up: {message.reason}", exit_code=1)

    def _reconnect(self) -> None:
        """The interchange is gone. As long as the driver is there, so is the socket, and soon another."""
        self._unwatch(self._connection.fileno())
        if not self._connection.reopen():
            self._is_dismissed = self.is_abandoned = True
            self._stop("the interchange is gone, and the driver with it", exit_code=1)
            return
        logger.warning("the interchange is gone: waiting for another")
        self._watches_output = False
        self._watch(self._connection.fileno(), self._serve_connection)
        self._register_again()

    def _register_again(self) -> None:
        """Say to an interchange that is new what is held here, and what may not have got to the driver."""
        unacknowledged = [result.id for _, results, _ in self._unacknowledged for result in results]
        now = time.monotonic()
        register = msgspec.structs.replace(
            self._register,
            capacity=self._pool.state.capacity,
            held=[*unacknowledged, *(result.id for result in self._pool.results), *self._pool.held_ids()],
            draining=self._is_draining,
            launches=self._pool.launches_left,
            ends_in_s=None if self._ends_at_s is None else self._ends_at_s - now,
            acknowledged=self._unacknowledged[0][0] - 1 if self._unacknowledged else self._serial,
        )
        self._told_capacity = register.capacity
        self._is_registering = True
        self._tell(register)
        self._send_again()
        if self._is_draining:
            self._tell(protocol.Draining())

    def _send_again(self) -> None:
        capacity = self._pool.state.capacity
        for serial, results, frames in self._unacknowledged:
            self._tell(protocol.Results(results, capacity, serial), frames)

    def _forget_results(self, serial: int) -> None:
        """These have got to the driver."""
        unacknowledged = self._unacknowledged
        while unacknowledged and unacknowledged[0][0] <= serial:
            unacknowledged.popleft()

    def _tell_of_interruption(self, _: int) -> None:
        """The interchange cannot always see it: a new connection may have the old one's place already."""
        if self._connection.was_interrupted():
            logger.warning("the connection to the interchange was interrupted")
            self._begin_again()

    def _begin_again(self) -> None:
        self._reconnect_at = time.monotonic() + RECONNECT_AFTER_S
        self._is_registering = False  # if it has, that may be lost
        self._tell(protocol.Interrupted())

    def _say_what_is_held(self, number: int) -> None:
        """The connection was interrupted: whatever was said about this may be lost."""
        if number:
            self._send_again()
        self._send_results()
        self._tell(protocol.HeldTasks(number, self._pool.held_ids()))
        if self._is_draining:
            self._tell(protocol.Draining())

    def _tell(self, message: Any, frames: list[Any] | None = None) -> None:
        self._connection.send([encode(message), *(frames or ())])
        self._watch_output()

    def _send_results(self) -> None:
        pool, capacity = self._pool, self._pool.state.capacity
        if not pool.results and capacity == self._told_capacity:
            return
        results, pool.results = pool.results, []
        frames, pool.frames = pool.frames, []
        self._told_capacity = capacity
        serial = 0
        if results:
            serial = self._serial = self._serial + 1
            self._unacknowledged.append((serial, results, frames))
        self._tell(protocol.Results(results, capacity, serial), frames)

    def _say_goodbye(self) -> None:
        reason = self._stop_reason or "an error in the manager; see its log"
        logger.log(logging.ERROR if self._exit_code == 1 else logging.INFO, "stopping: %s", reason)
        if not self._is_dismissed:
            self._send_results()
            ran_s = self._pool.running_s(time.monotonic())
            self._tell(protocol.Goodbye(reason, self._is_job_end, ran_s))
        self._connection.close(0.0 if self._is_dismissed else GOODBYE_S)

    @property
    def last_words(self) -> str:
        """Why the manager has stopped, for the job's stderr; empty when all is well."""
        return (self._stop_reason or "") if self._exit_code == 1 else ""

    # The loop's descriptors

    def _watch(self, fd: int, handler: Callable[[int], None]) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def _unwatch(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self._handlers[fd]

    def _watch_output(self) -> None:
        wanted = self._connection.wants_output()
        if wanted != self._watches_output:
            self._watches_output = wanted
            self._epoll.modify(self._connection.fileno(), select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def _watch_signals(self) -> None:
        signal.set_wakeup_fd(self._signal_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
        self._watch(self._signals, self._clear_signals)

    def _on_signal(self, number: int, _: Any) -> None:
        self._is_job_end = self._is_job_end or number == signal.SIGTERM
        self._stop(f"its process got {signal.Signals(number).name}", exit_code=128 + number)

    def _clear_signals(self, _: int) -> None:
        os.read(self._signals, 64)


def _pool_type(settings: ManagerSettings, nodes: Sequence[str], log_dir: str) -> Callable[..., WorkerPool]:
    """The kind of pool that the executor's tasks need."""
    if not nodes:
        return WorkerPool
    from functools import partial

    from parsl.executors.high_throughput.manager.host_files import HostFiles
    from parsl.executors.high_throughput.manager.mpi_worker_pool import MpiWorkerPool

    return partial(
        MpiWorkerPool,
        nodes=nodes,
        launcher=settings.mpi_launcher,
        host_files=HostFiles(log_dir),
        most_launches=settings.max_launches,
    )


def _memory_limit(settings: ManagerSettings) -> MemoryLimit | None:
    if not settings.enforces_memory or settings.mem_per_worker_gb is None:
        return None
    return MemoryLimit(int(settings.mem_per_worker_gb * GIB))


def manager_log_dir(settings: ManagerSettings, identity: PoolIdentity) -> str:
    """Where a manager and its workers write their logs."""
    return f"{settings.log_dir}/block-{identity.block}/{identity.manager}"


def _installed_packages() -> dict[str, str]:
    from importlib import metadata

    return {
        found.metadata["Name"]: found.version for found in metadata.distributions() if found.metadata["Name"]
    }
