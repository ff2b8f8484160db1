"""A manager: owns one node, runs its workers, and speaks for them to the interchange.

One loop over three kinds of descriptors: the connection to the interchange, the fork server's channel, and a
channel to each worker. All decisions are in `manager_state`; this file moves bytes and watches clocks.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Callable

import zmq

from parsl.executors.high_throughput import protocol
from parsl.executors.high_throughput.manager_state import ManagerState, Slot
from parsl.executors.high_throughput.protocol import (
    INLINE_LIMIT,
    Failure,
    Result,
    Task,
    Work,
    decode_from_fork_server,
    decode_result,
    decode_to_manager,
    decode_work,
    encode,
)
from parsl.executors.high_throughput.worker_channel import (
    PACKET_LIMIT,
    Buffer,
    FrameCollector,
    PacketSender,
    make_pair,
)
from parsl.executors.high_throughput.zmq_messages import receive, send

logger = logging.getLogger("parsl.htex.manager")

#: Seconds that a task has between SIGTERM and SIGKILL when it is over its walltime or cancelled.
END_GRACE_S = 1.0
#: Workers that die in a row before any has run a task, before the manager gives up.
MOST_STILLBORN = 3
#: Messages taken from one descriptor before the others get their turn.
_BURST = 64


class WorkerLink:
    """A worker's channel as the manager holds it: its own end, and a duplicate of the worker's."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.ours, self.theirs = make_pair()
        self.sender = PacketSender(self.ours)
        #: A large result that is coming in.
        self.incoming: tuple[Result, FrameCollector] | None = None
        self.watches_output = False

    def __repr__(self) -> str:
        return f"<WorkerLink {self.slot!r} unsent={len(self.sender.waiting)}>"

    def send(self, work: Work, frames: list[Buffer]) -> None:
        body = work.body
        if body is not None and len(body) > INLINE_LIMIT:
            frames = [body, *frames]
            work = Work(work.task, None, len(body))
        try:
            self.sender.send(encode(work), frames)
        except OSError:
            pass  # the worker is dead; the fork server is about to say so

    def read_back(self, buffer: bytearray) -> list[Work]:
        """Take the packets that the worker has not begun, oldest first."""
        unbegun = []
        view = memoryview(buffer)
        while True:
            try:
                size = self.theirs.recv_into(buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not size:
                break
            unbegun.append(decode_work(view[:size]))
        unbegun += [decode_work(packet) for packet in self.sender.waiting]
        self.sender.waiting.clear()
        return unbegun

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Manager:
    """Owns the loop. Single-threaded; everything in it belongs to the main thread of its process."""

    def __init__(
        self,
        *,
        name: str,
        block: str,
        host: str,
        workers: list[tuple[dict[str, str], list[int]]],
        prefetch: int,
        fork_server: socket.socket,
        connection: Any,
        heartbeat_period_s: float,
        heartbeat_threshold_s: float,
        drain_period_s: float | None,
    ) -> None:
        self._name = name
        self._block = block
        self._host = host
        self._workers = workers
        self._state = ManagerState(len(workers), prefetch)
        self._fork_server = fork_server
        self._connection = connection
        self._connection_fd = connection.getsockopt(zmq.FD)
        self._period_s = heartbeat_period_s
        self._threshold_s = heartbeat_threshold_s
        self._functions: dict[bytes, bytes] = {}
        self._frames: dict[int, list[Any]] = {}
        self._links: dict[int, WorkerLink] = {}
        self._link_of: dict[int, WorkerLink] = {}  # by rank
        self._results: list[Result] = []
        self._result_frames: list[Any] = []
        self._touched: list[Slot] = []
        self._buffer = bytearray(PACKET_LIMIT + 4096)
        self._view = memoryview(self._buffer)
        self._told_capacity = self._state.capacity
        self._stillborn = 0
        self._stop_reason: str | None = None
        self._exit_code = 0
        self._draining = False
        now = time.monotonic()
        self._heard = now
        self._next_beat = now + heartbeat_period_s
        self._drain_at = None if drain_period_s is None else now + drain_period_s
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._signals, self._signal_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<Manager {self._name} block={self._block} {self._state!r}>"

    def run(self) -> int:
        """Serve until told to stop. Returns: the exit code of the process."""
        self._watch_signals()
        self._watch(self._connection_fd, lambda _: None)
        self._watch(self._fork_server.fileno(), self._serve_fork_server)
        for slot in self._state.slots:
            self._start_worker(slot)
        try:
            self._loop()
        finally:
            self._say_goodbye()
        return self._exit_code

    def _loop(self) -> None:
        while self._stop_reason is None:
            self._serve_connection()
            self._send_results()
            self._check_clocks()
            if self._stop_reason is not None:
                return
            # ZeroMQ's descriptor is edge-triggered: never sleep on it with events pending.
            pending = self._connection.getsockopt(zmq.EVENTS) & zmq.POLLIN
            for fd, event in self._epoll.poll(0 if pending else self._timeout_s()):
                self._handlers[fd](event) if fd in self._handlers else None
            if self._touched:
                self._after_results()

    # Clocks

    def _timeout_s(self) -> float:
        moments = [self._next_beat, self._heard + self._threshold_s]
        if self._drain_at is not None and not self._draining:
            moments.append(self._drain_at)
        if (deadline := self._state.next_deadline()) is not None:
            moments.append(deadline)
        return max(0.0, min(moments) - time.monotonic() + 0.001)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + self._period_s
            self._tell(protocol.Beat())
        if now - self._heard > self._threshold_s:
            logger.error("nothing heard from the interchange for %.0f s", now - self._heard)
            self._exit_code = 1
            self._stop_reason = f"nothing was heard from the interchange for {self._threshold_s:g} s"
        if self._drain_at is not None and now >= self._drain_at and not self._draining:
            logger.info("drain period over: taking no more tasks")
            self._draining = True
            self._tell(protocol.Draining())
        if self._draining and self._state.held == 0 and not self._results:
            self._stop_reason = "drained"
        for slot in self._state.overdue(now):
            self._end_worker(slot, protocol.TIMED_OUT)

    # The interchange

    def _serve_connection(self) -> None:
        for _ in range(_BURST):
            try:
                parts = receive(self._connection, 1)
            except zmq.Again:
                return
            self._heard = time.monotonic()
            message = decode_to_manager(parts[0])
            if isinstance(message, protocol.Tasks):
                self._accept(message, parts[1:])
            elif isinstance(message, protocol.Cancel):
                self._cancel(message.ids)
            elif isinstance(message, protocol.Stop):
                self._stop_reason = message.reason
                return
            elif isinstance(message, protocol.PackagesPlease):
                self._tell(protocol.Packages(_installed_packages()))
            elif isinstance(message, protocol.Refused):
                logger.error("the interchange has given this manager up: %s", message.reason)
                self._exit_code = 1
                self._stop_reason = message.reason

    def _accept(self, message: protocol.Tasks, frames: list[Any]) -> None:
        if message.functions:
            self._functions.update(message.functions)
        at = 0
        for task in message.tasks:
            if task.sizes:
                self._frames[task.id] = frames[at : at + len(task.sizes)]
                at += len(task.sizes)
        self._state.add(message.tasks)
        self._assign(None)

    def _tell(self, message: Any, frames: list[Any] | None = None) -> None:
        try:
            send(self._connection, [encode(message), *(frames or ())])
        except zmq.Again:
            logger.error("the connection to the interchange takes no more")

    def _send_results(self) -> None:
        capacity = self._state.capacity
        if not self._results and capacity == self._told_capacity:
            return
        results, self._results = self._results, []
        frames, self._result_frames = self._result_frames, []
        self._told_capacity = capacity
        self._tell(protocol.Results(results, capacity), frames)

    def _fail(self, task: Task, failure: Failure) -> None:
        self._frames.pop(task.id, None)
        self._results.append(protocol.failed(task.id, failure))

    # Workers

    def _start_worker(self, slot: Slot) -> None:
        link = WorkerLink(slot)
        environment, cpus = self._workers[slot.rank]
        request = encode(protocol.Fork(slot.rank, environment, cpus))
        try:
            socket.send_fds(self._fork_server, [request], [link.theirs.fileno()])
        except OSError:
            link.close()
            return  # the fork server is gone; its channel says so
        self._link_of[slot.rank] = link
        self._links[link.ours.fileno()] = link
        self._watch(link.ours.fileno(), lambda event, link=link: self._serve_worker(link, event))

    def _serve_fork_server(self, _: int) -> None:
        for _ in range(_BURST):
            try:
                data = self._fork_server.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._exit_code = 1
                self._stop_reason = "the manager's fork server has died"
                logger.error("the fork server has died: no worker can be started any more")
                return
            message = decode_from_fork_server(data)
            if isinstance(message, protocol.Forked):
                self._state.slots[message.rank].pid = message.pid
                self._assign([self._state.slots[message.rank]])
            else:
                self._worker_exited(message)

    def _serve_worker(self, link: WorkerLink, event: int) -> None:
        if event & select.EPOLLOUT:
            try:
                link.sender.flush()
            except OSError:
                link.sender.waiting.clear()
            self._watch_output(link)
        if event & ~select.EPOLLOUT:
            self._read_results(link)

    def _read_results(self, link: WorkerLink) -> None:
        sock, view = link.ours, self._view
        try:
            for _ in range(_BURST):
                if link.incoming is not None:
                    self._read_frames(link, *link.incoming)
                    continue
                size = sock.recv_into(view)
                if not size:
                    return
                result = decode_result(view[:size])
                if result.sizes:
                    link.incoming = (result, FrameCollector(result.sizes))
                else:
                    self._finish(link, result, [])
        except (BlockingIOError, ConnectionResetError):
            return

    def _read_frames(self, link: WorkerLink, result: Result, collector: FrameCollector) -> None:
        if not collector.is_complete:
            collector.receive(link.ours)
        if collector.is_complete:
            link.incoming = None
            self._finish(link, result, collector.frames)

    def _finish(self, link: WorkerLink, result: Result, frames: list[Any]) -> None:
        task = self._state.finish(link.slot, result, time.monotonic())
        self._stillborn = 0
        if task.sizes:
            self._frames.pop(task.id, None)
        self._results.append(result)
        self._result_frames += frames
        self._touched.append(link.slot)

    def _after_results(self) -> None:
        touched, self._touched = self._touched, []
        self._assign(touched)
        while (fullest := self._state.to_relieve()) is not None:
            if not self._read_back(fullest):
                return
            self._assign(None)

    def _read_back(self, slot: Slot) -> bool:
        """Take back what a worker has not begun. Returns: whether there was anything."""
        unbegun = self._link_of[slot.rank].read_back(self._buffer)
        for work in unbegun:
            if work.body is not None or work.body_size:
                slot.functions.discard(work.task.function)
        self._state.take_back(slot, [work.task.id for work in unbegun])
        return bool(unbegun)

    def _assign(self, slots: list[Slot] | None) -> None:
        for slot, task in self._state.assign(time.monotonic(), slots):
            body = None
            if task.function and task.function not in slot.functions:
                slot.functions.add(task.function)
                body = self._functions.get(task.function)
            link = self._link_of[slot.rank]
            link.send(Work(task, body), self._frames.get(task.id, []) if task.sizes else [])
            if link.sender.waiting or link.watches_output:
                self._watch_output(link)

    def _end_worker(self, slot: Slot, kind: str) -> None:
        """End the worker and all that its task has started; its exit brings the rest about."""
        if slot.pid is None or slot.ending is not None:
            return
        self._read_back(slot)
        if len(slot.given) != 1:
            return  # it has moved on: the task's result is on its way, and another task must not suffer
        logger.info("ending worker %d (pid %d): %s", slot.rank, slot.pid, kind)
        slot.ending = kind
        self._send_to_fork_server(protocol.End(slot.pid, END_GRACE_S))

    def _send_to_fork_server(self, message: Any) -> None:
        try:
            self._fork_server.send(encode(message))
        except OSError:
            pass  # it is gone; its channel says so

    def _worker_exited(self, message: protocol.Exited) -> None:
        slot = next((slot for slot in self._state.slots if slot.pid == message.pid), None)
        if slot is None:
            return
        link = self._link_of.pop(slot.rank)
        self._read_results(link)
        self._read_back(slot)
        kind = slot.ending or protocol.WORKER_LOST
        for task in self._state.worker_gone(slot):
            self._fail(task, self._failure(kind, slot, task, message))
            self._stillborn = 0
            logger.warning(
                "worker %d (pid %d) ended under task %d: %s", slot.rank, message.pid, task.id, kind
            )
        self._unwatch(link)
        self._stillborn += 1
        if self._stillborn > MOST_STILLBORN:
            self._exit_code = 1
            self._stop_reason = f"{self._stillborn} workers ended before they ran a task, the last with {_describe(message.exit_code)}"
            print(f"{self._stop_reason}; see above for what they said", file=sys.stderr)
            return
        self._start_worker(slot)
        self._assign(None)

    def _failure(self, kind: str, slot: Slot, task: Task, exited: protocol.Exited) -> Failure:
        code = exited.exit_code
        if kind == protocol.TIMED_OUT:
            text = (
                f"over its walltime of {task.walltime_s:g} s on {self._host}: ended, with all its processes"
            )
        elif kind == protocol.CANCELLED:
            text = "cancelled while it was running"
        else:
            memory = f"{exited.peak_memory / 1e6:.0f} MB"
            text = (
                f"Worker {slot.rank} (pid {exited.pid}) on host {self._host}, block {self._block}, ended under "
                f"the task: {_describe(code)}; its peak memory was {memory}."
            )
        return Failure(
            kind=kind,
            message=text,
            host=self._host,
            block=self._block,
            manager=self._name,
            worker=slot.rank,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            peak_memory=exited.peak_memory,
        )

    def _cancel(self, ids: list[int]) -> None:
        for task_id in ids:
            if self._state.forget(task_id):
                self._report_cancelled(task_id)
                continue
            slot = self._state.slot_of(task_id)
            if slot is None:
                continue
            if slot.given[0].id != task_id:
                self._read_back(slot)
            if self._state.forget(task_id):
                self._report_cancelled(task_id)
            else:
                self._end_worker(slot, protocol.CANCELLED)
        self._assign(None)

    def _report_cancelled(self, task_id: int) -> None:
        self._frames.pop(task_id, None)
        failure = Failure(kind=protocol.CANCELLED, message="cancelled before it was begun", host=self._host)
        self._results.append(protocol.failed(task_id, failure))

    # The loop's descriptors

    def _watch(self, fd: int, handler: Callable[[int], None]) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def _unwatch(self, link: WorkerLink) -> None:
        fd = link.ours.fileno()
        self._epoll.unregister(fd)
        del self._handlers[fd], self._links[fd]
        link.close()

    def _watch_output(self, link: WorkerLink) -> None:
        wanted = bool(link.sender.waiting)
        if wanted != link.watches_output:
            link.watches_output = wanted
            self._epoll.modify(link.ours.fileno(), select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def _watch_signals(self) -> None:
        signal.set_wakeup_fd(self._signal_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
        self._watch(self._signals, lambda _: os.read(self._signals, 64) and None)

    def _on_signal(self, number: int, _: Any) -> None:
        self._exit_code = 128 + number
        self._stop_reason = f"its process got {signal.Signals(number).name}"

    def _say_goodbye(self) -> None:
        reason = self._stop_reason or "an error in the manager; see its log"
        logger.info("stopping: %s", reason)
        self._send_results()
        self._tell(protocol.Goodbye(reason))
        self._connection.close(linger=1000)


def _describe(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "an unknown signal"
    hint = " (often the kernel, because memory ran out)" if exit_code == -signal.SIGKILL else ""
    return f"killed by signal {-exit_code}, {name}{hint}"


def _installed_packages() -> dict[str, str]:
    from importlib import metadata

    return {
        found.metadata["Name"]: found.version for found in metadata.distributions() if found.metadata["Name"]
    }
