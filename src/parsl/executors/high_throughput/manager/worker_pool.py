"""The workers of a node: their channels, starts, ends and tasks. `state` decides, and this module acts."""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from parsl.common.system.polling import WRITABLE
from parsl.executors.high_throughput.manager import lost_workers
from parsl.executors.high_throughput.manager.long_tasks import LongTasks
from parsl.executors.high_throughput.manager.memory_limit import GIB, MemoryLimit
from parsl.executors.high_throughput.manager.state import ManagerState, Worker
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.manager.worker_link import WorkerLink
from parsl.executors.high_throughput.node.placement import WorkerPlacement
from parsl.executors.high_throughput.wire import fork_orders, protocol
from parsl.executors.high_throughput.wire.protocol import Failure, Result, Task, Work, decode_result, encode
from parsl.executors.high_throughput.wire.settings import ManagerSettings
from parsl.executors.high_throughput.wire.spool import discard, result_file
from parsl.executors.high_throughput.wire.worker_channel import PACKET_LIMIT, FrameCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.manager.mpi_tasks import MpiTasks
    from parsl.executors.high_throughput.manager.resource_sampler import ResourceSampler

logger = logging.getLogger("parsl.htex.manager")

#: Time between SIGTERM and SIGKILL for a task that exceeds its walltime or is cancelled, in seconds.
END_GRACE_S = 1.0
#: How many workers in a row may end before any has run a task, until the pool gives up.
MAX_STARTUP_FAILURES = 3
#: How many workers to request from the fork server at once when the pool starts, so that neither side has to
#: wait until the other reads.
_MAX_STARTING = 64
#: The interchange computed the time left a little earlier: a task may lack this much time, in seconds.
TIME_SLACK_S = 1.0
#: Messages that are read from one descriptor before the others get their turn.
_BURST = 64
#: Why a worker that is not being ended gets no task: the processes that its last task left behind are.
_SWEEPING = "sweeping"


class PoolBroken(Exception):
    """No worker can be started any more; the text is the reason."""


class PoolPlan(NamedTuple):
    """What a pool consists of."""

    identity: lost_workers.PoolIdentity
    #: A place for each worker, by rank.
    places: Sequence[WorkerPlacement]
    settings: ManagerSettings
    #: When the job ends, on the monotonic clock; None if unknown.
    ends_at_s: float | None = None
    #: The names of the block's nodes; empty where tasks do not request nodes.
    nodes: Sequence[str] = ()
    #: The manager's number in the executor's run.
    number: int = -1


class WorkerPool:
    """The workers and their tasks. Owned by the manager's loop."""

    def __init__(self, plan: PoolPlan, fork_server: socket.socket, watcher: Watcher) -> None:
        self._plan = plan
        self._fork_server = fork_server
        self._watcher = watcher
        self.memory_limit: MemoryLimit | None = None
        if plan.settings.enforces_memory and plan.settings.mem_per_worker_gb is not None:
            self.memory_limit = MemoryLimit(int(plan.settings.mem_per_worker_gb * GIB))
        self.resource_sampler: ResourceSampler | None = None
        if plan.settings.resource_interval_s is not None:
            from parsl.executors.high_throughput.manager.resource_sampler import ResourceSampler

            self.resource_sampler = ResourceSampler(plan.settings.resource_interval_s)
        self._mpi: MpiTasks | None = None
        if plan.nodes:
            from parsl.executors.high_throughput.manager.mpi_tasks import MpiTasks

            log_dir = plan.identity.log_dir(plan.settings.log_dir)
            self._mpi = MpiTasks(plan.settings.mpi_launcher, plan.nodes, log_dir)
            self.state = ManagerState(len(plan.places), 0, self._mpi.nodes)
        else:
            self.state = ManagerState(len(plan.places), plan.settings.prefetch)
        #: Makes the message to a worker from a task and its function's body.
        self._make_work = Work if self._mpi is None else self._mpi.make_work
        #: Results of MPI tasks that wait for a sweep, with their frames, by the process ids of their workers.
        self._unswept: dict[int, tuple[Result, Sequence[Any]]] = {}
        #: Results, and the frames that belong to them, for the manager to send.
        self.results: list[Result] = []
        self.frames: list[Any] = []
        self.deferred = lost_workers.DeferredFailures()
        self.long_tasks = LongTasks()
        self._functions: dict[bytes, bytes] = {}
        self._task_frames: dict[int, list[Any]] = {}
        self._touched: list[Worker] = []
        self._unstarted: deque[Worker] = deque()
        self._startup_failures = 0
        self._buffer = bytearray(PACKET_LIMIT + 4096)
        self._view = memoryview(self._buffer)

    def __repr__(self) -> str:
        return f"<WorkerPool {self.state!r} results={len(self.results)}>"

    def start(self) -> None:
        self._watcher.add(self._fork_server.fileno(), self._serve_fork_server)
        self._unstarted.extend(self.state.workers)
        for _ in range(_MAX_STARTING):
            self._start_next()

    @property
    def launches_left(self) -> int | None:
        """How many more tasks it will start; None for any number."""
        limit = self._plan.settings.max_launches
        return None if limit is None else max(0, limit - self.state.accepted)

    def close(self) -> None:
        """Remove what the pool has left in the file system."""
        if self._mpi is not None:
            self._mpi.host_files.close()

    # Tasks

    def accept(self, tasks: list[Task], functions: dict[bytes, bytes], frames: list[Any]) -> None:
        if functions:
            self._functions.update(functions)
            large = (name for name, body in functions.items() if len(body) > protocol.INLINE_LIMIT)
            self.state.large_functions.update(large)
        at = 0
        for task in tasks:
            if task.sizes:
                self._task_frames[task.id] = frames[at : at + len(task.sizes)]
                at += len(task.sizes)
        if self._plan.ends_at_s is not None and any(task.runtime_s is not None for task in tasks):
            tasks = self._refuse_too_long(tasks, self._plan.ends_at_s - time.monotonic())
        self.state.add(tasks)
        self._assign(None)

    def _refuse_too_long(self, tasks: list[Task], left_s: float) -> list[Task]:
        """Give back the tasks for which there is not enough time. Return the others."""
        fitting = []
        manager, block, host = self._plan.identity
        for task in tasks:
            if task.runtime_s is None or task.runtime_s <= left_s + TIME_SLACK_S:
                fitting.append(task)
                continue
            place = f"block {block} on {host} has only {left_s:.0f} s left"
            text = f"Task not started: it takes {task.runtime_s:g} s, and {place}."
            failure = Failure(protocol.MANAGER_LOST, text, host, block, manager, is_job_end=True)
            self._fail(task.id, failure)
        return fitting

    def held_ids(self) -> list[int]:
        return self.state.held_ids() + self.deferred.ids()

    def running_s(self, now_s: float) -> dict[int, float]:
        """Return for how long each started task has been running, lost tasks included."""
        busy = [worker for worker in self.state.workers if worker.given]
        running = {worker.given[0].id: now_s - worker.started for worker in busy}
        return running | self.deferred.ran_s(now_s)

    def report_deferred(self, now_s: float) -> None:
        """Report tasks whose workers were killed a while ago, without the end of the job."""
        for task_id, failure in self.deferred.take_due(now_s):
            self._fail(task_id, failure)

    def cancel(self, ids: list[int]) -> None:
        for task_id in ids:
            worker = self.state.worker_of(task_id)
            if worker is not None:
                self._end_task(worker, task_id, protocol.CANCELLED)
            if self.state.forget(task_id):
                failure = Failure(protocol.CANCELLED, "cancelled before it started", self._plan.identity.host)
                self._fail(task_id, failure)
        self._assign(None)

    def enforce_limits(self, now_s: float) -> None:
        if self.memory_limit is not None and now_s >= self.memory_limit.due_s:
            self._enforce_memory(self.memory_limit)
        overdue = self.state.overdue(now_s)
        for worker in overdue:
            self._end_task(worker, worker.given[0].id, protocol.TIMED_OUT)
        if overdue:
            self._assign(None)

    def refill(self) -> None:
        """After a round of results, give tasks to idle workers, and take them from overloaded ones."""
        touched, self._touched = self._touched, []
        if not touched:
            return
        self._assign(touched)
        while (overloaded := self.state.overloaded()) is not None and self._read_back(overloaded):
            self._assign(None)

    def _assign(self, workers: list[Worker] | None) -> None:
        now_s = time.monotonic()
        assigned = self.state.assign(now_s, workers)
        if assigned:
            self.long_tasks.tasks_assigned(now_s)
        for worker, task in assigned:
            body = None
            if task.function and task.function not in worker.functions:
                worker.functions.add(task.function)
                body = self._functions.get(task.function)
            link = worker.link
            assert link is not None
            link.send(self._make_work(task, body), self._task_frames.get(task.id, []) if task.sizes else [])
            if link.waiting or link.watches_output:
                self._watch_output(link)

    def _read_back(self, worker: Worker) -> bool:
        """Take back the tasks that a worker has not started. Return whether there were any.

        A task of several packets counts as started, because how many of them the worker has read is unknown.
        """
        if worker.has_frames or worker.link is None:
            return False
        unread = worker.link.read_back(self._buffer)
        for work in unread:
            if work.body is not None:
                worker.functions.discard(work.task.function)
        self.state.take_back(worker, [work.task.id for work in unread])
        return bool(unread)

    def _fail(self, task_id: int, failure: Failure) -> None:
        self._task_frames.pop(task_id, None)
        if self._mpi is not None:
            self._mpi.host_files.remove(task_id)
        self.results.append(protocol.failed(task_id, failure))

    # Results

    def _serve_worker(self, worker: Worker, link: WorkerLink, event: int) -> None:
        if event & WRITABLE:
            try:
                link.flush()
            except OSError:
                link.waiting.clear()
            self._watch_output(link)
        if event & ~WRITABLE:
            self._read_results(worker, link)

    def _read_results(self, worker: Worker, link: WorkerLink) -> None:
        sock, view, given = link.ours, self._view, worker.given
        try:
            while given:
                if link.incoming is not None:
                    self._read_frames(worker, link, *link.incoming)
                    continue
                size = sock.recv_into(view)
                if not size:
                    return
                result = decode_result(view[:size])
                if result.sizes:
                    link.incoming = (result, FrameCollector(result.sizes))
                else:
                    self._take_result(worker, result)
        except (BlockingIOError, ConnectionResetError):
            return

    def _read_frames(
        self, worker: Worker, link: WorkerLink, result: Result, collector: FrameCollector
    ) -> None:
        if not collector.is_complete:
            collector.receive(link.ours)
        if collector.is_complete:
            link.incoming = None
            self._take_result(worker, result, collector.frames)

    def _take_result(self, worker: Worker, result: Result, frames: Sequence[Any] = ()) -> None:
        if worker.ending is None and self._mpi is None:
            self._finish(worker, result, frames)
        elif worker.ending is None:
            self._sweep(worker, result, frames)
        elif result.spooled:  # too late, and perhaps only an effect of the signals on the task
            discard(result_file(self._plan.settings.spool, result.id))

    def _sweep(self, worker: Worker, result: Result, frames: Sequence[Any]) -> None:
        """Keep a result until the fork server has ended what the task has left behind.

        That may be a launcher for which the task did not wait. Only then are the task's nodes free.
        """
        assert worker.pid is not None, "only a worker that has been started returns results"
        self._unswept[worker.pid] = (result, frames)
        worker.ending = _SWEEPING
        self._order(fork_orders.Sweep(worker.pid, END_GRACE_S))

    def _on_swept(self, pid: int) -> None:
        """Finish the task of a worker if its result has waited until the task's processes had ended."""
        result, frames = self._unswept.pop(pid, (None, ()))
        if result is None or self._mpi is None:
            return
        worker = next(worker for worker in self.state.workers if worker.pid == pid)
        worker.ending = None
        self._mpi.host_files.remove(result.id)
        self._finish(worker, result, frames)

    def _finish(self, worker: Worker, result: Result, frames: Sequence[Any]) -> None:
        task = self.state.finish(worker, result, time.monotonic())
        self._startup_failures = 0
        if self.resource_sampler is not None:
            self.resource_sampler.task_ended(worker, result)
        if task.sizes:
            self._task_frames.pop(task.id, None)
        self.results.append(result)
        self.frames += frames
        self._touched.append(worker)

    def _watch_output(self, link: WorkerLink) -> None:
        is_needed = bool(link.waiting)
        if is_needed != link.watches_output:
            link.watches_output = is_needed
            self._watcher.watch_output(link.ours.fileno(), is_needed)

    # Starts and ends of workers

    def _start_next(self) -> None:
        if self._unstarted:
            self._start_worker(self._unstarted.popleft())

    def _start_worker(self, worker: Worker) -> None:
        link, settings = WorkerLink(), self._plan.settings
        place = self._plan.places[worker.rank]
        log_dir = self._plan.identity.log_dir(settings.log_dir)
        has_log = settings.debug or settings.log_config
        log_file = f"{log_dir}/worker_{worker.rank}.log" if has_log else ""
        order = fork_orders.Fork(
            worker.rank, place.environment, list(place.cpus or ()), settings.spool, log_file, settings.debug,
            settings.log_config, self._plan.number,
        )  # fmt: skip
        try:
            socket.send_fds(self._fork_server, [encode(order)], [link.theirs.fileno()])
        except OSError:
            link.close()
            return  # the fork server is gone, which its channel reports
        worker.link = link
        self._watcher.add(link.ours.fileno(), partial(self._serve_worker, worker, link))

    def _order(self, message: fork_orders.End | fork_orders.Sweep) -> None:
        with suppress(OSError):  # the fork server is gone, which its channel reports
            self._fork_server.send(encode(message))

    def _end_task(self, worker: Worker, task_id: int, kind: str) -> None:
        """End a started task, with its worker and everything that the worker has started.

        A task that was not started is in the queue afterwards.
        """
        if worker.pid is None or worker.ending is not None:
            return
        self._keep_only_started(worker)
        if worker.given and worker.given[0].id == task_id:
            self._end_worker(worker, kind, END_GRACE_S)

    def _keep_only_started(self, worker: Worker) -> None:
        """Take back unstarted tasks, then read the results: if a task is left, it is running."""
        self._read_back(worker)
        if worker.link is not None:
            self._read_results(worker, worker.link)

    def _end_worker(self, worker: Worker, kind: str, grace_s: float) -> None:
        if worker.pid is None:
            return
        logger.info("ending worker %d (pid %d): %s", worker.rank, worker.pid, kind)
        worker.ending = kind
        self._order(fork_orders.End(worker.pid, grace_s))

    def _enforce_memory(self, limit: MemoryLimit) -> None:
        """Measure, and end workers above the limit at once, before memory runs out for all processes."""
        for worker in limit.measure(self.state.workers):
            self._keep_only_started(worker)
            self._end_worker(worker, protocol.OVER_MEMORY, 0.0)
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
            message = fork_orders.decode_from_fork_server(data)
            match message:
                case fork_orders.Forked():
                    worker = self.state.workers[message.rank]
                    worker.pid = message.pid
                    self._touched.append(worker)  # it may relieve others
                    self._start_next()
                case fork_orders.Swept():
                    self._on_swept(message.pid)
                case fork_orders.Exited():
                    self._on_swept(message.pid)  # the worker has ended after its task
                    self._on_exited(message)

    def _on_exited(self, message: fork_orders.Exited) -> None:
        worker = next((worker for worker in self.state.workers if worker.pid == message.pid), None)
        if worker is None or worker.link is None:
            return
        self._read_results(worker, worker.link)
        self._read_back(worker)
        kind = worker.ending or protocol.WORKER_LOST
        self._startup_failures += not worker.has_run and worker.ending is None
        for task in self.state.lose(worker):
            self._lose_task(worker, task, kind, message)
            self._startup_failures = 0
        self._watcher.remove(worker.link.ours.fileno())
        worker.link.close()
        if self._startup_failures > MAX_STARTUP_FAILURES:
            raise PoolBroken(
                f"{self._startup_failures} workers ended before they ran a task, the last with "
                f"{lost_workers.describe_exit(message.exit_code)}; the job's stderr has their messages"
            )
        self._start_worker(self.state.workers[worker.rank])
        self._assign(None)

    def _lose_task(self, worker: Worker, task: Task, kind: str, exited: fork_orders.Exited) -> None:
        logger.warning("worker %d (pid %d) ended in task %d: %s", worker.rank, exited.pid, task.id, kind)
        now_s = time.monotonic()
        tail = lost_workers.own_output_tail() if kind == protocol.WORKER_LOST else ""
        failure = lost_workers.worker_failure(
            self._plan.identity, kind, worker, task, exited, now_s - worker.started, tail, self.memory_limit
        )
        if lost_workers.may_be_job_end(failure):
            self.deferred.add(task.id, failure, worker.started, now_s)
        else:
            self._fail(task.id, failure)
