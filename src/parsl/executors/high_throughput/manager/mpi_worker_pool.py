"""The workers of a block whose tasks start MPI programs on nodes of their own."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.manager.mpi_state import MpiManagerState
from parsl.executors.high_throughput.manager.mpi_tasks import HostFiles, needs_host_file, task_environment
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.manager.worker_pool import END_GRACE_S, PoolPlan, WorkerPool
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Failure, Resources, Result, Task, Work

logger = logging.getLogger("parsl.htex.manager")

#: Why a worker that is not being ended gets no task: what its last task has left behind is.
_SWEEPING = "sweeping"
_ONE_RANK = Resources(1, 1, 1)


class MpiWorkerPool(WorkerPool):
    """The workers and the nodes of a block. Owned by the manager's loop.

    A task's nodes are free again when all its processes have ended: its result waits until the fork server
    has ended what the task has left behind, such as a launcher for which it did not wait.
    """

    state: MpiManagerState

    def __init__(self, plan: PoolPlan, fork_server: socket.socket, watcher: Watcher) -> None:
        super().__init__(plan, fork_server, watcher)
        self.state = MpiManagerState(len(plan.places), plan.nodes)
        self._launcher = plan.settings.mpi_launcher
        self._max_launches = plan.settings.max_launches
        #: For lists of nodes that are too long for the environment.
        self._host_files = HostFiles(plan.identity.log_dir(plan.settings.log_dir))
        #: Results that wait for a sweep, with their frames, by the process ids of their workers.
        self._waiting: dict[int, tuple[Result, list[Any]]] = {}

    @property
    def is_used_up(self) -> bool:
        return self.launches_left == 0

    @property
    def launches_left(self) -> int | None:
        return None if self._max_launches is None else max(0, self._max_launches - self.state.accepted)

    def close(self) -> None:
        self._host_files.close()

    def _make_work(self, task: Task, body: bytes | None) -> Work:
        resources = task.resources or _ONE_RANK
        nodes = self.state.nodes.of(task.id)
        logger.info("task %d has %d nodes: %s", task.id, len(nodes), ",".join(nodes[:100]))
        file = self._write_host_file(task.id, nodes) if needs_host_file(nodes) else None
        return Work(task, body, environment=task_environment(self._launcher, resources, nodes, file))

    def _write_host_file(self, task_id: int, nodes: Sequence[str]) -> str | None:
        try:
            return self._host_files.write(task_id, nodes)
        except OSError as error:
            logger.warning("cannot write the host file of task %d; it gets a list: %s", task_id, error)
            return None

    def _fail(self, task_id: int, failure: Failure) -> None:
        self._host_files.remove(task_id)
        super()._fail(task_id, failure)

    def _finish(self, worker: Worker, result: Result) -> None:
        """Keep a result until the task has no processes any more."""
        assert worker.pid is not None, "only a worker that has been started returns results"
        count = len(result.sizes)
        frames = self.frames[len(self.frames) - count :]
        del self.frames[len(self.frames) - count :]
        self._waiting[worker.pid] = (result, frames)
        worker.ending = _SWEEPING
        self._order(protocol.Sweep(worker.pid, END_GRACE_S))

    def _on_swept(self, message: protocol.Swept) -> None:
        self._release(message.pid)

    def _on_exited(self, message: protocol.Exited) -> None:
        self._release(message.pid)  # the worker has ended after its task
        super()._on_exited(message)

    def _release(self, pid: int) -> None:
        result, frames = self._waiting.pop(pid, (None, []))
        if result is None:
            return
        worker = next(worker for worker in self.state.workers if worker.pid == pid)
        worker.ending = None
        self._host_files.remove(result.id)
        self.frames += frames
        super()._finish(worker, result)
