"""The decisions of the interchange: the queue, the managers, and which task goes where.

No socket, process or clock in here: told what happened and when, it answers what to send. All of it can be
rebuilt from the two ends: the driver knows what must run, the managers know what they hold.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from parsl.executors.high_throughput.manager_record import ManagerRecord
from parsl.executors.high_throughput.manager_selector import ManagerSelector, RandomManagerSelector
from parsl.executors.high_throughput.protocol import Register, Result, Task


class TaskQueue:
    """Tasks that wait for a manager: by priority where they have one (lower first), else in order of arrival."""

    def __init__(self) -> None:
        self._plain: deque[Task] = deque()
        self._urgent: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._dropped: set[int] = set()

    def __repr__(self) -> str:
        return f"<TaskQueue tasks={len(self)}>"

    def __len__(self) -> int:
        return len(self._plain) + len(self._urgent) - len(self._dropped)

    def extend(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if task.priority is None:
                self._plain.append(task)
            else:
                heapq.heappush(self._urgent, (task.priority, next(self._order), task))

    def drop(self, task_id: int) -> None:
        """Forget a task that is known to be in the queue."""
        self._dropped.add(task_id)

    def take(self, count: int) -> list[Task]:
        """Remove the next `count` tasks, fewer when there are fewer."""
        taken: list[Task] = []
        while len(taken) < count and (self._urgent or self._plain):
            task = heapq.heappop(self._urgent)[2] if self._urgent else self._plain.popleft()
            if self._dropped and task.id in self._dropped:
                self._dropped.discard(task.id)
            else:
                taken.append(task)
        return taken

    def __iter__(self) -> Iterator[Task]:
        urgent = (task for _, _, task in self._urgent)
        return (task for task in itertools.chain(urgent, self._plain) if task.id not in self._dropped)


class InterchangeState:
    """Queue and managers. Owned by the interchange's loop."""

    def __init__(self, selector: ManagerSelector) -> None:
        self._selector = selector
        self._is_random = type(selector) is RandomManagerSelector
        self.queue = TaskQueue()
        self._queued: set[int] = set()
        self.managers: dict[bytes, ManagerRecord] = {}
        #: Managers that may have room; checked when tasks are matched.
        self._with_room: dict[bytes, ManagerRecord] = {}

    def __repr__(self) -> str:
        return f"<InterchangeState queued={len(self.queue)} managers={len(self.managers)}>"

    # The driver's side

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        self.queue.extend(tasks)
        self._queued.update(task.id for task in tasks)

    def cancel(self, task_id: int) -> bytes | None:
        """Forget a task if it waits here. Returns: the manager that has it, which must be told, if one has."""
        if task_id in self._queued:
            self._queued.discard(task_id)
            self.queue.drop(task_id)
            return None
        return next((name for name, record in self.managers.items() if task_id in record.held), None)

    def match(self) -> list[tuple[bytes, list[Task]]]:
        """Give waiting tasks to managers: to free workers first, then to managers that fetch ahead.

        Returns: which manager gets which tasks.
        """
        if not len(self.queue) or not self._with_room:
            return []
        given: dict[bytes, list[Task]] = {}
        for name in self._ordered():
            self._give(name, self.managers[name].free_workers, given)
            if not len(self.queue):
                return list(given.items())
        ahead = [name for name in self._ordered() if self.managers[name].room > 0]
        for i, name in enumerate(ahead):
            share = -(-len(self.queue) // (len(ahead) - i))
            self._give(name, min(self.managers[name].room, share), given)
        return list(given.items())

    def _ordered(self) -> list[bytes]:
        self._with_room = {name: record for name, record in self._with_room.items() if record.room > 0}
        if self._is_random and len(self._with_room) <= 1:
            return list(self._with_room)
        return self._selector.sort_managers(self.managers, set(self._with_room))

    def _give(self, name: bytes, count: int, given: dict[bytes, list[Task]]) -> None:
        if count <= 0:
            return
        record = self.managers[name]
        tasks = self.queue.take(count)
        if not tasks:
            return
        ids = [task.id for task in tasks]
        self._queued.difference_update(ids)
        record.held.update(ids)
        record.idle_since = None
        given.setdefault(name, []).extend(tasks)

    # The managers' side

    def register(self, name: bytes, register: Register, now_s: float) -> ManagerRecord:
        record = ManagerRecord(register, now_s)
        self.managers[name] = record
        self._with_room[name] = record
        return record

    def results(self, name: bytes, results: Iterable[Result], capacity: int, now_s: float) -> None:
        """A manager has brought results and says how many tasks it wants to hold from now on."""
        record = self.managers[name]
        record.held.difference_update([result.id for result in results])
        record.capacity = capacity
        if not record.held and record.idle_since is None:
            record.idle_since = now_s
        if record.room > 0:
            self._with_room[name] = record

    def heard(self, name: bytes, now_s: float) -> bool:
        """A sign of life. Returns: whether the manager is known."""
        record = self.managers.get(name)
        if record is None:
            return False
        record.heard_at = now_s
        if record.unreachable_since is not None:
            record.unreachable_since = None
            self._with_room[name] = record
        return True

    def drain(self, name: bytes) -> None:
        self.managers[name].draining = True

    def hold_block(self, block: str, is_held: bool) -> None:
        for name in self.of_block(block):
            self.managers[name].on_hold = is_held
            self._with_room[name] = self.managers[name]

    def remove(self, name: bytes) -> ManagerRecord:
        """A manager is gone. Returns: its record; the tasks it held are lost."""
        self._with_room.pop(name, None)
        return self.managers.pop(name)

    def of_block(self, block: str) -> list[bytes]:
        return [name for name, record in self.managers.items() if record.block == block]

    def silent(self, now_s: float, threshold_s: float, grace_s: float) -> list[tuple[bytes, str]]:
        """Managers that must be given up, with the reason."""
        gone = []
        for name, record in self.managers.items():
            if now_s - record.heard_at > threshold_s:
                gone.append((name, f"nothing was heard of it for {threshold_s:g} s"))
            elif record.unreachable_since is not None and now_s - record.unreachable_since >= grace_s:
                gone.append((name, "its connection was closed and did not come back"))
        return gone

    @property
    def has_unreachable(self) -> bool:
        return any(record.unreachable_since is not None for record in self.managers.values())

    def infos(self, now_s: float) -> list[Any]:
        return [record.info(now_s) for record in self.managers.values()]
