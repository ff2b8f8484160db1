"""The interchange's decisions where tasks ask for nodes: a manager gets a task only when it can start it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord
from parsl.executors.high_throughput.interchange.node_queue import NodeQueue, Room
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.interchange.timed_tasks import TimeOffered
from parsl.executors.high_throughput.manager_selector import ManagerSelector
from parsl.executors.high_throughput.wire.protocol import Register, Task


class MpiInterchangeState(InterchangeState):
    """Queue and managers, with nodes counted. Owned by the interchange's loop."""

    def __init__(self, selector: ManagerSelector) -> None:
        super().__init__(selector)
        self._waiting = NodeQueue()
        #: How many nodes each task has that a manager holds.
        self._taken: dict[bytes, dict[int, int]] = {}
        #: How many more tasks a manager may be sent, where that is limited.
        self._launches: dict[bytes, int] = {}

    def __repr__(self) -> str:
        nodes = sum(record.nodes for record in self.managers.values())
        counts = f"queued={len(self._waiting)} managers={len(self.managers)} nodes={nodes}"
        return f"<MpiInterchangeState {counts}>"

    def _enqueue(self, tasks: Sequence[Task]) -> None:
        self._waiting.extend(tasks)

    @property
    def has_timed_tasks(self) -> bool:
        return self._waiting.has_timed

    def _count_without_time(self, offered: TimeOffered) -> int:
        return self._waiting.count_without_time(offered)

    def _dequeue(self, task_id: int) -> None:
        self._waiting.drop(task_id)

    def register(self, name: bytes, register: Register, now_s: float) -> tuple[ManagerRecord, list[int]]:
        before = self.managers.get(name)
        found = super().register(name, register, now_s)
        if register.launches is not None:
            # What was on its way when the manager said so, it has not counted.
            unseen = 0 if before is None else len(before.held.difference(register.held))
            self._launches[name] = register.launches - unseen
        return found

    def _take_over(self, name: bytes, record: ManagerRecord, claimed: Sequence[Task]) -> None:
        super()._take_over(name, record, claimed)
        self._taken.setdefault(name, {}).update((task.id, task.num_nodes) for task in claimed)

    def recounted(self, name: bytes, held: Iterable[int]) -> list[int]:
        lost = super().recounted(name, held)
        if name in self._launches:
            self._launches[name] += len(lost)  # the manager counts only what has come
        return lost

    def remove(self, name: bytes) -> ManagerRecord:
        self._taken.pop(name, None)
        self._launches.pop(name, None)
        return super().remove(name)

    def match(self, now_s: float = 0.0) -> list[tuple[bytes, list[Task]]]:
        """Give waiting tasks to managers that can start them at once.

        Returns: which manager gets which tasks.
        """
        if not len(self._waiting):
            return []
        rooms = [
            self._room(name, record, now_s) for name, record in self.managers.items() if record.takes_tasks
        ]
        given: dict[bytes, list[Task]] = {}
        for name, task in self._waiting.place(rooms):
            self._hand_over(name, task)
            given.setdefault(name, []).append(task)
        return list(given.items())

    def _room(self, name: bytes, record: ManagerRecord, now_s: float) -> Room:
        # The record is right about what is held, whoever has changed it.
        taken = {task_id: nodes for task_id, nodes in self._taken[name].items() if task_id in record.held}
        self._taken[name] = taken
        free_nodes = record.nodes - sum(taken.values())
        slots = min(record.free_workers, self._launches.get(name, record.workers))
        return Room(name, record.nodes, free_nodes, slots, record.left_s(now_s))

    def _hand_over(self, name: bytes, task: Task) -> None:
        record = self.managers[name]
        self._queued.discard(task.id)
        self._taken[name][task.id] = task.num_nodes
        if name in self._launches:
            self._launches[name] -= 1
        self._hold(name, record, [task.id])
