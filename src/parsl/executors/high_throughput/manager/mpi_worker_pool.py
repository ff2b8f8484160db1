"""The workers of a block whose tasks start MPI programs on nodes that are theirs alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.manager.host_files import HostFiles
from parsl.executors.high_throughput.manager.mpi_environment import needs_host_file, task_environment
from parsl.executors.high_throughput.manager.mpi_state import MpiManagerState
from parsl.executors.high_throughput.manager.state import Slot
from parsl.executors.high_throughput.manager.worker_pool import END_GRACE_S, WorkerPool
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Failure, Resources, Result, Task, Work, encode

logger = logging.getLogger("parsl.htex.manager")

#: Why a slot's worker gets no task, when it is not being ended: what its last one has left behind is.
_SWEEPING = "sweeping"
_ONE_RANK = Resources(1, 1, 1)


class MpiWorkerPool(WorkerPool):
    """Owns the workers and the nodes of a block. Belongs to the manager's loop.

    A task's nodes come back when nothing of it is left: its result waits until the fork server has ended
    what it has left behind, such as a launcher that nobody waited for.

    Args:
        nodes: The names of the nodes.
        launcher: The launcher that PARSL_MPI_PREFIX is for.
        host_files: Where lists of nodes go that are too long for the environment.
        most_launches: How many tasks are started until the block is used up; None for any number.
        others: As for a WorkerPool.
    """

    state: MpiManagerState

    def __init__(
        self,
        *args: Any,
        nodes: Sequence[str],
        launcher: str,
        host_files: HostFiles,
        most_launches: int | None,
        **others: Any,
    ) -> None:
        super().__init__(*args, **others)
        self.state = MpiManagerState(len(self.state.slots), nodes)
        self._launcher = launcher
        self._host_files = host_files
        self._most_launches = most_launches
        #: Results that wait, by the process ids of their workers, with their frames.
        self._done: dict[int, tuple[Result, list[Any]]] = {}

    @property
    def is_used_up(self) -> bool:
        return self._most_launches is not None and self.state.accepted >= self._most_launches

    @property
    def launches_left(self) -> int | None:
        return None if self._most_launches is None else max(0, self._most_launches - self.state.accepted)

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
            logger.warning("the host file of task %d cannot be written, it gets a list: %s", task_id, error)
            return None

    def _fail(self, task_id: int, failure: Failure) -> None:
        self._host_files.remove(task_id)
        super()._fail(task_id, failure)

    # What tasks leave behind

    def _finish(self, slot: Slot, result: Result) -> None:
        """Keep a result until nothing is left of the task."""
        assert slot.pid is not None, "only a worker that has been started brings results"
        count = len(result.sizes)
        frames = self.frames[len(self.frames) - count :]
        del self.frames[len(self.frames) - count :]
        self._done[slot.pid] = (result, frames)
        slot.ending = _SWEEPING
        try:
            self._fork_server.send(encode(protocol.Sweep(slot.pid, END_GRACE_S)))
        except OSError:
            pass  # the fork server is gone; its channel says so

    def _take_swept(self, message: protocol.Swept) -> None:
        self._release(message.pid)

    def _take_exit(self, message: protocol.Exited) -> None:
        self._release(message.pid)  # the worker has ended after its task
        super()._take_exit(message)

    def _release(self, worker: int) -> None:
        """Pass a result on, and take the task's nodes back."""
        result, frames = self._done.pop(worker, (None, []))
        if result is None:
            return
        slot = next(slot for slot in self.state.slots if slot.pid == worker)
        slot.ending = None
        self._host_files.remove(result.id)
        self.frames += frames
        super()._finish(slot, result)
