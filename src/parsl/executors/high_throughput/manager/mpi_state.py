"""The decisions of a manager whose tasks ask for nodes: a worker for each task, and nodes of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parsl.executors.high_throughput.manager.state import ManagerState, Slot
from parsl.executors.high_throughput.node.node_pool import NodePool
from parsl.executors.high_throughput.wire.protocol import Result, Task


class MpiManagerState(ManagerState):
    """Slots, nodes, and what has them. Owned by the manager's loop.

    A task has its nodes from its first start until it has ended, whatever way; a task that was taken back
    unbegun keeps them.

    Args:
        workers: How many tasks may run at once.
        nodes: The names of the nodes.
    """

    def __init__(self, workers: int, nodes: Sequence[str]) -> None:
        super().__init__(workers, prefetch=0)
        self.nodes = NodePool(nodes)
        #: How many tasks the interchange has ever sent.
        self.accepted = 0

    def __repr__(self) -> str:
        return f"<MpiManagerState slots={len(self.slots)} queued={len(self.queue)} {self.nodes!r}>"

    @property
    def capacity(self) -> int:
        """One task a worker: what cannot start at once waits at the interchange, which sees all nodes."""
        return len(self.slots)

    def add(self, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        self.accepted += len(tasks)
        super().add(tasks)

    def assign(self, now_s: float, slots: Iterable[Slot] | None = None) -> list[tuple[Slot, Task]]:
        """Give queued tasks to idle workers, with nodes.

        Args:
            now_s: the time.
            slots: not needed: nodes that have come back serve any worker.
        """
        given: list[tuple[Slot, Task]] = []
        for slot in self.slots:
            if not self.queue:
                break
            if slot.is_usable and not slot.given and self._bring_forward():
                given.append((slot, self._give(slot, now_s)))
        return given

    def _bring_forward(self) -> bool:
        """Give nodes to a task and put it at the head of the queue: the first for which there are enough."""
        for task in self.queue:
            if self.nodes.take(task.id, task.num_nodes) is not None:
                self.queue.remove(task)
                self.queue.appendleft(task)
                return True
        return False

    def finish(self, slot: Slot, result: Result, now_s: float) -> Task:
        task = super().finish(slot, result, now_s)
        self.nodes.give_back(task.id)
        return task

    def worker_gone(self, slot: Slot) -> list[Task]:
        begun = super().worker_gone(slot)
        for task in begun:
            self.nodes.give_back(task.id)
        return begun

    def forget(self, task_id: int) -> bool:
        was_queued = super().forget(task_id)
        if was_queued:
            self.nodes.give_back(task_id)
        return was_queued
