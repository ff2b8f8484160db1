"""The workers of a node: their channels, their starts and ends, and the tasks that they have.

What to do is decided by `manager_state`; this file does it. It is driven by the manager's loop, which watches
the descriptors for it, and leaves results to be collected in `results`.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from parsl.executors.high_throughput.manager.lost_workers import (
    DeferredFailures,
    PoolIdentity,
    describe_exit,
    is_doubtful,
    own_output_tail,
    worker_failure,
)
from parsl.executors.high_throughput.manager.memory_limit import MemoryLimit
from parsl.executors.high_throughput.manager.memory_use import workers_over
from parsl.executors.high_throughput.manager.state import ManagerState, Slot
from parsl.executors.high_throughput.manager.worker_link import WorkerLink
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import (
    INLINE_LIMIT,
    Failure,
    Result,
    Task,
    Work,
    decode_from_fork_server,
    decode_result,
    encode,
)
from parsl.executors.high_throughput.wire.spool import discard, result_file
from parsl.executors.high_throughput.wire.worker_channel import PACKET_LIMIT, FrameCollector

logger = logging.getLogger("parsl.htex.manager")

#: Seconds that a task has between SIGTERM and SIGKILL when it is over its walltime or cancelled.
END_GRACE_S = 1.0
#: Workers that end in a row before any has run a task, until the pool gives up.
MAX_STARTUP_FAILURES = 3
#: Workers that the fork server is asked for at once when the pool starts: neither side may have to wait until
#: the other reads.
_MAX_STARTING = 64
#: The interchange has reckoned a bit earlier: a task may be short of so much time, in seconds.
TIME_SLACK_S = 1.0
#: Messages taken from one descriptor before the others get their turn.
_BURST = 64


class PoolBroken(Exception):
    """No worker can be started any more; the text says why."""


class WorkerPool:
    """Owns the slots and what is in them. Belongs to the manager's loop.

    Args:
        identity: for error messages.
        places: environment and CPUs of each worker.
        prefetch: tasks to hold beyond one for each worker.
        spool: directory for large payloads, or an empty text.
        worker_log_dir: directory for a log of each worker, or an empty text for none.
        ends_at_s: when the job is ended, on the monotonic clock; None if nobody knows.
        memory_limit: how much memory a worker may use; None for any amount.
        fork_server: the channel to the process that starts workers.
        watch: called with a descriptor and what to call with its events, to have it watched for input.
        rewatch: called with a descriptor and the events to watch it for from now on.
        unwatch: called with a descriptor that is about to be closed.
    """

    #: Makes what is sent to a worker of a task and its function's body.
    _make_work: Callable[[Task, bytes | None], Work] = Work

    def __init__(
        self,
        identity: PoolIdentity,
        places: list[tuple[dict[str, str], list[int]]],
        *,
        prefetch: int,
        spool: str,
        worker_log_dir: str = "",
        ends_at_s: float | None = None,
        memory_limit: MemoryLimit | None = None,
        fork_server: socket.socket,
        watch: Callable[[int, Callable[[int], None]], None],
        rewatch: Callable[[int, int], None],
        unwatch: Callable[[int], None],
    ) -> None:
        self._identity = identity
        self._places = places
        self._spool = spool
        self._worker_log_dir = worker_log_dir
        self._ends_at_s = ends_at_s
        self.memory_limit = memory_limit
        self._fork_server = fork_server
        self._watch, self._rewatch, self._unwatch = watch, rewatch, unwatch
        self.state = ManagerState(len(places), prefetch)
        #: Results, and the frames that belong to them, for the manager to send.
        self.results: list[Result] = []
        self.frames: list[Any] = []
        self.doubts = DeferredFailures()
        self._functions: dict[bytes, bytes] = {}
        self._task_frames: dict[int, list[Any]] = {}
        self._links: dict[int, WorkerLink] = {}
        self._touched: list[Slot] = []
        self._unstarted: deque[Slot] = deque()
        self._stillborn = 0
        self._buffer = bytearray(PACKET_LIMIT + 4096)
        self._view = memoryview(self._buffer)

    def __repr__(self) -> str:
        return f"<WorkerPool {self.state!r} results={len(self.results)}>"

    def start(self) -> None:
        """Start all workers."""
        self._watch(self._fork_server.fileno(), self._serve_fork_server)
        self._unstarted.extend(self.state.slots)
        for _ in range(_MAX_STARTING):
            self._start_next()

    def _start_next(self) -> None:
        if self._unstarted:
            self._start_worker(self._unstarted.popleft())

    @property
    def is_used_up(self) -> bool:
        """Whether it will not start any more tasks."""
        return False

    @property
    def launches_left(self) -> int | None:
        """How many more tasks it will start; None for any number."""
        return None

    def close(self) -> None:
        """Remove what the pool has left in the file system."""

    # Tasks

    def accept(self, tasks: list[Task], functions: dict[bytes, bytes], frames: list[Any]) -> None:
        """Tasks from the interchange, with functions that are new here and the frames that belong to them."""
        if functions:
            self._functions.update(functions)
            large = (name for name, body in functions.items() if len(body) > INLINE_LIMIT)
            self.state.large_functions.update(large)
        at = 0
        for task in tasks:
            if task.sizes:
                self._task_frames[task.id] = frames[at : at + len(task.sizes)]
                at += len(task.sizes)
        if self._ends_at_s is not None and any(task.runtime_s is not None for task in tasks):
            tasks = self._refuse_too_long(tasks, self._ends_at_s - time.monotonic())
        self.state.add(tasks)
        self._assign(None)

    def _refuse_too_long(self, tasks: list[Task], left_s: float) -> list[Task]:
        """Give tasks back for which there is no time. Returns: the others."""
        fitting = []
        for task in tasks:
            if task.runtime_s is None or task.runtime_s <= left_s + TIME_SLACK_S:
                fitting.append(task)
                continue
            manager, block, host = self._identity
            text = f"takes {task.runtime_s:g} s, and block {block} on {host} has only {left_s:.0f} s left"
            failure = Failure(
                protocol.MANAGER_LOST, f"Task not begun: it {text}.", host, block, manager, is_job_end=True
            )
            self._fail(task.id, failure)
        return fitting

    def held_ids(self) -> list[int]:
        """The tasks that are with this manager."""
        return self.state.held_ids() + self.doubts.ids()

    def running_s(self, now_s: float) -> dict[int, float]:
        """For how many seconds each task has been running, or had been."""
        ran_s = {slot.given[0].id: now_s - slot.started for slot in self.state.slots if slot.given}
        return ran_s | self.doubts.ran_s(now_s)

    def end_doubts(self, now_s: float) -> None:
        """Report the tasks whose workers were killed a while ago, and nothing else was."""
        for task_id, failure in self.doubts.take_ended(now_s):
            self._fail(task_id, failure)

    def cancel(self, ids: list[int]) -> None:
        """End tasks, queued or running."""
        for task_id in ids:
            slot = self.state.slot_of(task_id)
            if slot is not None:
                self._end_task(slot, task_id, protocol.CANCELLED)
            if self.state.forget(task_id):
                failure = Failure(protocol.CANCELLED, "cancelled before it was begun", self._identity.host)
                self._fail(task_id, failure)
        self._assign(None)

    def end_overdue(self, now_s: float) -> None:
        """End the tasks that are over their walltime, and the workers over their memory."""
        if self.memory_limit is not None and now_s >= self.memory_limit.due_s:
            self._end_over_memory(self.memory_limit)
        overdue = self.state.overdue(now_s)
        for slot in overdue:
            self._end_task(slot, slot.given[0].id, protocol.TIMED_OUT)
        if overdue:
            self._assign(None)

    def settle(self) -> None:
        """After a round of results: fill the workers up again, relieve those with too much."""
        touched, self._touched = self._touched, []
        if not touched:
            return
        self._assign(touched)
        while (fullest := self.state.to_relieve()) is not None and self._read_back(fullest):
            self._assign(None)

    def _assign(self, slots: list[Slot] | None) -> None:
        for slot, task in self.state.assign(time.monotonic(), slots):
            body = None
            if task.function and task.function not in slot.functions:
                slot.functions.add(task.function)
                body = self._functions.get(task.function)
            link = self._links[slot.rank]
            link.send(self._make_work(task, body), self._task_frames.get(task.id, []) if task.sizes else [])
            if link.sender.waiting or link.watches_output:
                self._watch_output(link)

    def _read_back(self, slot: Slot) -> bool:
        """Take back what a worker has not begun. Returns: whether there was anything.

        A task of several packets counts as begun: what it has read of them cannot be known.
        """
        if slot.has_frames:
            return False
        unbegun = self._links[slot.rank].read_back(self._buffer)
        for work in unbegun:
            if work.body is not None:
                slot.functions.discard(work.task.function)
        self.state.take_back(slot, [work.task.id for work in unbegun])
        return bool(unbegun)

    def _fail(self, task_id: int, failure: Failure) -> None:
        self._task_frames.pop(task_id, None)
        self.results.append(protocol.failed(task_id, failure))

    # Workers at work

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
        """Read until the worker has no more tasks, or nothing more has come."""
        sock, view, given = link.ours, self._view, link.slot.given
        try:
            while given:
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
                    self._take_result(link.slot, result)
        except (BlockingIOError, ConnectionResetError):
            return

    def _read_frames(self, link: WorkerLink, result: Result, collector: FrameCollector) -> None:
        if not collector.is_complete:
            collector.receive(link.ours)
        if collector.is_complete:
            link.incoming = None
            self._take_result(link.slot, result, collector.frames)

    def _take_result(self, slot: Slot, result: Result, frames: Sequence[Any] = ()) -> None:
        if slot.ending is None:
            self.frames += frames
            self._finish(slot, result)
        elif result.spooled:  # too late, and perhaps only what the signals have made of the task
            discard(result_file(self._spool, result.id))

    def _finish(self, slot: Slot, result: Result) -> None:
        task = self.state.finish(slot, result, time.monotonic())
        self._stillborn = 0
        if task.sizes:
            self._task_frames.pop(task.id, None)
        self.results.append(result)
        self._touched.append(slot)

    def _watch_output(self, link: WorkerLink) -> None:
        wanted = bool(link.sender.waiting)
        if wanted != link.watches_output:
            link.watches_output = wanted
            self._rewatch(link.ours.fileno(), select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    # Starts and ends of workers

    def _start_worker(self, slot: Slot) -> None:
        link = WorkerLink(slot)
        environment, cpus = self._places[slot.rank]
        log_file = f"{self._worker_log_dir}/worker_{slot.rank}.log" if self._worker_log_dir else ""
        order = encode(protocol.Fork(slot.rank, environment, cpus, self._spool, log_file))
        try:
            socket.send_fds(self._fork_server, [order], [link.theirs.fileno()])
        except OSError:
            link.close()
            return  # the fork server is gone; its channel says so
        self._links[slot.rank] = link
        self._watch(link.ours.fileno(), lambda event: self._serve_worker(link, event))

    def _end_task(self, slot: Slot, task_id: int, kind: str) -> None:
        """End a task, if a worker has begun it, with its worker and all that it has started.

        The worker's exit brings the rest about. A task that was not begun is in the queue afterwards.
        """
        if slot.pid is None or slot.ending is not None:
            return
        self._leave_only_begun(slot)
        if slot.given and slot.given[0].id == task_id:
            self._end_worker(slot, slot.pid, kind, END_GRACE_S)

    def _leave_only_begun(self, slot: Slot) -> None:
        """Take back what was not begun, then take in what has ended: if there is a task left, it runs."""
        self._read_back(slot)
        self._read_results(self._links[slot.rank])

    def _end_worker(self, slot: Slot, pid: int, kind: str, grace_s: float) -> None:
        logger.info("ending worker %d (pid %d): %s", slot.rank, pid, kind)
        slot.ending = kind
        try:
            self._fork_server.send(encode(protocol.End(pid, grace_s)))
        except OSError:
            pass  # the fork server is gone; its channel says so

    def _end_over_memory(self, limit: MemoryLimit) -> None:
        """Measure; end the workers that use too much, at once: memory that runs out is everybody's."""
        for pid, slot in workers_over(limit, self.state.slots):
            self._leave_only_begun(slot)
            self._end_worker(slot, pid, protocol.OVER_MEMORY, 0.0)
        self._assign(None)

    def _serve_fork_server(self, _: int) -> None:
        for _ in range(_BURST):
            try:
                data = self._fork_server.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                raise PoolBroken("the manager's fork server has died")
            message = decode_from_fork_server(data)
            if isinstance(message, protocol.Forked):
                slot = self.state.slots[message.rank]
                slot.pid = message.pid
                self._touched.append(slot)  # it may relieve others
                self._start_next()
            elif isinstance(message, protocol.Exited):
                self._take_exit(message)
            else:
                self._take_swept(message)

    def _take_swept(self, message: protocol.Swept) -> None:
        """A worker's task has left nothing behind; only pools that ask are told."""

    def _take_exit(self, message: protocol.Exited) -> None:
        slot = next((slot for slot in self.state.slots if slot.pid == message.pid), None)
        if slot is None:
            return
        link = self._links[slot.rank]
        self._read_results(link)
        self._read_back(slot)
        self._stillborn += not slot.has_run and slot.ending is None
        kind = slot.ending or protocol.WORKER_LOST
        began_s = slot.started
        for task in self.state.worker_gone(slot):
            logger.warning(
                "worker %d (pid %d) ended under task %d: %s", slot.rank, message.pid, task.id, kind
            )
            ran_s = time.monotonic() - began_s
            tail = own_output_tail() if kind == protocol.WORKER_LOST else ""
            limit = self.memory_limit
            failure = worker_failure(self._identity, kind, slot.rank, task, message, ran_s, tail, limit)
            if is_doubtful(failure):
                self.doubts.add(task.id, failure, began_s, time.monotonic())
            else:
                self._fail(task.id, failure)
            self._stillborn = 0
        if self.memory_limit is not None:
            self.memory_limit.forget(message.pid)
        self._unwatch(link.ours.fileno())
        link.close()
        if self._stillborn > MAX_STARTUP_FAILURES:
            raise PoolBroken(
                f"{self._stillborn} workers ended before they ran a task, "
                f"the last with {describe_exit(message.exit_code)}; what they said stands in the job's stderr"
            )
        self._start_worker(slot)
        self._assign(None)
