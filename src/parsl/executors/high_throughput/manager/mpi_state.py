"""The decisions of a manager whose tasks request nodes: each task gets a worker, and nodes of its own."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from parsl.executors.high_throughput.manager.state import ManagerState, Worker
from parsl.executors.high_throughput.wire.protocol import Result, Task


class NodePool:
    """The nodes of a block, each of which belongs to at most one task. Owned by the manager's loop."""

    def __init__(self, nodes: Sequence[str]) -> None:
        if len(set(nodes)) != len(nodes):
            raise ValueError(f"the names of a block's nodes are not all different: {list(nodes)}")
        self._nodes = tuple(nodes)
        #: A heap of indices: neighbours in the list are mostly neighbours in the machine.
        self._free = list(range(len(nodes)))
        self._taken: dict[int, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"<NodePool nodes={len(self._nodes)} free={len(self._free)} tasks={len(self._taken)}>"

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def free(self) -> int:
        return len(self._free)

    def of(self, task_id: int) -> tuple[str, ...]:
        return tuple(self._nodes[at] for at in self._taken.get(task_id, ()))

    def take(self, task_id: int, count: int) -> tuple[str, ...] | None:
        """Return nodes for a task; a task that has nodes keeps them. None if not enough nodes are free."""
        if task_id in self._taken:
            return self.of(task_id)
        if count < 1 or count > len(self._free):
            return None
        self._taken[task_id] = tuple(heapq.heappop(self._free) for _ in range(count))
        return self.of(task_id)

    def release(self, task_id: int) -> bool:
        """Free the nodes of a task. Return whether it had any."""
        indices = self._taken.pop(task_id, ())
        for at in indices:
            heapq.heappush(self._free, at)
        return bool(indices)

    def validate(self) -> None:
        """Check for tests that no node is lost or belongs to two tasks."""
        indices = [*self._free, *(at for taken in self._taken.values() for at in taken)]
        assert sorted(indices) == list(range(len(self._nodes))), f"{self!r} has {sorted(indices)}"


class MpiManagerState(ManagerState):
    """The workers and nodes of a block, and their tasks. Owned by the manager's loop.

    A task has its nodes from its first start until it ends, in whatever way; a task that was taken back
    before it started keeps them.
    """

    def __init__(self, workers: int, nodes: Sequence[str]) -> None:
        super().__init__(workers, prefetch=0)
        self.nodes = NodePool(nodes)
        #: How many tasks the interchange has sent so far.
        self.accepted = 0

    def __repr__(self) -> str:
        return f"<MpiManagerState workers={len(self.workers)} queued={len(self.queue)} {self.nodes!r}>"

    @property
    def capacity(self) -> int:
        """One task per worker: other tasks wait at the interchange, which sees the nodes of all blocks."""
        return len(self.workers)

    def add(self, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        self.accepted += len(tasks)
        super().add(tasks)

    def assign(self, now_s: float, workers: Iterable[Worker] | None = None) -> list[tuple[Worker, Task]]:
        """Give queued tasks to idle workers, with nodes. Nodes that were given back serve any worker."""
        given: list[tuple[Worker, Task]] = []
        for worker in self.workers:
            if not self.queue:
                break
            if worker.is_usable and not worker.given and self._pick_next():
                given.append((worker, self._assign_next(worker, now_s)))
        return given

    def _pick_next(self) -> bool:
        """Move the first task for which there are enough nodes to the head of the queue, with its nodes."""
        for task in self.queue:
            if self.nodes.take(task.id, task.num_nodes) is not None:
                self.queue.remove(task)
                self.queue.appendleft(task)
                return True
        return False

    def finish(self, worker: Worker, result: Result, now_s: float) -> Task:
        task = super().finish(worker, result, now_s)
        self.nodes.release(task.id)
        return task

    def lose(self, worker: Worker) -> list[Task]:
        started_tasks = super().lose(worker)
        for task in started_tasks:
            self.nodes.release(task.id)
        return started_tasks

    def forget(self, task_id: int) -> bool:
        was_queued = super().forget(task_id)
        if was_queued:
            self.nodes.release(task_id)
        return was_queued
