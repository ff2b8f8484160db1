"""MPI tasks that wait for nodes, and which of them starts where.

The rules:

- Tasks start in order: by priority where they have one (lower first), else by arrival.
- *Backfill*: a task that does not fit anywhere now is overtaken by later ones that do.
- *Ageing*: later tasks may overtake a task only by `MAX_OVERTAKEN` times its own size, in nodes. Then one
  manager is kept for the task: no later task starts there until the task fits. So a task for a whole block
  starts though small ones keep coming, and its cost in idle nodes is in proportion to its size.
- A task with an expected run time fits only where that much time is left, and waits in line with tasks of
  about the same run time.
- Of the managers where a task fits, the one with the fewest free nodes gets it, so that large gaps stay.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from parsl.executors.high_throughput.interchange import task_queue
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import Matching
from parsl.executors.high_throughput.wire.protocol import Task

#: How many nodes' worth of later tasks may start before a waiting one, for each node that it requests.
MAX_OVERTAKEN = 2


@dataclass(slots=True, eq=False)
class Room:
    """The capacity of one manager, which `NodeQueue.place` updates."""

    name: bytes
    nodes: int
    free_nodes: int
    slots: int
    left_s: float = math.inf

    def fits(self, line: _Line) -> bool:
        return self.slots > 0 and self.free_nodes >= line.nodes and line.first.fits_in(self.left_s)


@dataclass(slots=True, eq=False)
class _Line:
    """The waiting tasks of one size and about one run time: if the first cannot start, none can."""

    nodes: int
    entries: list[task_queue.Entry] = field(default_factory=list)
    #: How many nodes' worth of later tasks have started before the first task of this line.
    overtaken: int = 0
    #: The manager that is kept for the first task.
    kept: bytes | None = None

    @property
    def order(self) -> tuple[float, int]:
        return self.entries[0][:2]

    @property
    def first(self) -> Task:
        return self.entries[0][2]

    @property
    def is_aged(self) -> bool:
        return self.overtaken >= MAX_OVERTAKEN * self.nodes

    def pop(self) -> Task:
        self.overtaken = 0
        self.kept = None
        return heapq.heappop(self.entries)[2]


class NodeQueue(task_queue.WaitingTasks):
    """Waiting tasks that request nodes. Owned by the interchange's loop."""

    def __init__(self) -> None:
        super().__init__()
        #: By the number of nodes, and by about how long the tasks take.
        self._lines: dict[tuple[int, int], _Line] = {}
        self._order = itertools.count()

    def __repr__(self) -> str:
        return f"<NodeQueue tasks={len(self)} sizes={sorted({nodes for nodes, _ in self._lines})}>"

    def __iter__(self) -> Iterator[Task]:
        entries = sorted(
            (entry for line in self._lines.values() for entry in line.entries), key=lambda entry: entry[:2]
        )
        return (task for _, _, task in entries if task.id in self._ids)

    def _append(self, tasks: list[Task]) -> None:
        for task in tasks:
            line = self._lines.setdefault((task.num_nodes, task_queue.time_line(task)), _Line(task.num_nodes))
            heapq.heappush(line.entries, (task_queue.urgency_of(task), next(self._order), task))

    def place(self, rooms: Sequence[Room]) -> list[tuple[bytes, Task]]:
        """Remove the tasks that start now, and return them with their managers; update the rooms."""
        placed: list[tuple[bytes, Task]] = []
        while (start := self._next_start(rooms)) is not None:
            line, room, passed = start
            for overtaken in passed:
                overtaken.overtaken += line.nodes
            room.free_nodes -= line.nodes
            room.slots -= 1
            task = line.pop()
            self._ids.discard(task.id)
            placed.append((room.name, task))
        return placed

    @property
    def has_timed(self) -> bool:
        return any(time for _, time in self._lines)

    def count_without_time(self, offered: task_queue.TimeOffered) -> int:
        return sum(
            len(line.entries)
            for line in self._lines.values()
            if line.entries and offered.is_too_little_for(line.first)
        )

    def _next_start(self, rooms: Sequence[Room]) -> tuple[_Line, Room, list[_Line]] | None:
        """Find the line whose first task starts next, the manager for it, and the lines that it overtakes."""
        passed: list[_Line] = []
        kept: set[bytes] = set()
        for line in self._in_order():
            open_rooms = [room for room in rooms if room.name not in kept]
            fitting = [room for room in open_rooms if room.fits(line)]
            if fitting:
                return line, min(fitting, key=lambda room: room.free_nodes), passed
            if line.is_aged:
                line.kept = _keep(line, open_rooms)
                if line.kept is not None:
                    kept.add(line.kept)
            passed.append(line)
        return None

    def _in_order(self) -> list[_Line]:
        for line in self._lines.values():
            while line.entries and line.entries[0][2].id not in self._ids:
                heapq.heappop(line.entries)
        self._lines = {key: line for key, line in self._lines.items() if line.entries}
        return sorted(self._lines.values(), key=lambda line: line.order)


def _keep(line: _Line, rooms: Sequence[Room]) -> bytes | None:
    """Choose the manager to keep for a task: the one with the most free nodes, of equals the present one."""
    large_enough = [room for room in rooms if room.nodes >= line.nodes and line.first.fits_in(room.left_s)]
    if not large_enough:
        return None
    return max(large_enough, key=lambda room: (room.free_nodes, room.name == line.kept)).name


class NodeMatching(Matching):
    """A manager gets a task only when it can start it at once: with enough free nodes, a worker, a launch."""

    def __init__(self) -> None:
        self.queue: NodeQueue = NodeQueue()

    def match(self, managers: Mapping[bytes, Manager], now_s: float) -> list[tuple[Manager, list[Task]]]:
        if not len(self.queue):
            return []
        rooms = [_room_of(manager, now_s) for manager in managers.values() if manager.takes_tasks]
        given: dict[Manager, list[Task]] = {}
        for identity, task in self.queue.place(rooms):
            manager = managers[identity]
            manager.hold([task])
            if manager.launches is not None:
                manager.launches -= 1
            given.setdefault(manager, []).append(task)
        return list(given.items())


def _room_of(manager: Manager, now_s: float) -> Room:
    slots = manager.free_workers if manager.launches is None else min(manager.free_workers, manager.launches)
    return Room(manager.identity, manager.nodes, manager.free_nodes, slots, manager.left_s(now_s))
