"""MPI tasks that wait for nodes, and which of them starts where. No clock, socket or manager in here.

The rules:

- Tasks start in order: by priority where they have one (lower first), else as they came.
- *Backfill*: a task that does not fit anywhere now is overtaken by later ones that do.
- *Ageing*: it is overtaken by so many nodes' worth of tasks only (`MAX_OVERTAKEN` times its own size). Then
  one manager is kept for it: no later task is started there until it fits. So a task for a whole block
  starts though small ones keep coming, and what that costs in idle nodes is in proportion to its size.
- A task that says how long it takes fits only where so much time is left, and waits in line with those that
  take about as long.
- Of the managers where a task fits it goes to the one with the fewest free nodes, so that large holes stay.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

from parsl.executors.high_throughput.interchange.timed_tasks import (
    TimeOffered,
    fits_in,
    time_line,
    urgency_of,
)
from parsl.executors.high_throughput.wire.protocol import Task

#: How much later tasks may be started before a waiting one, in nodes, for each node that it needs.
MAX_OVERTAKEN = 2

_Entry = tuple[float, int, Task]


class Room:
    """What one manager can take; `place` keeps count in it.

    Args:
        name: The manager.
        nodes: How many nodes it has.
        free_nodes: How many of them no task has.
        slots: How many more tasks it can take.
        left_s: How much time it has, in seconds.
    """

    __slots__ = ("free_nodes", "left_s", "name", "nodes", "slots")

    def __init__(
        self, name: bytes, nodes: int, free_nodes: int, slots: int, left_s: float = math.inf
    ) -> None:
        self.name = name
        self.nodes = nodes
        self.free_nodes = free_nodes
        self.slots = slots
        self.left_s = left_s

    def __repr__(self) -> str:
        return f"<Room {self.name!r} nodes={self.nodes} free={self.free_nodes} slots={self.slots}>"

    def fits(self, line: _Line) -> bool:
        return self.slots > 0 and self.free_nodes >= line.nodes and fits_in(line.first, self.left_s)


class _Line:
    """The waiting tasks of one size and duration: whether the first of them can start decides for all."""

    __slots__ = ("entries", "kept", "nodes", "overtaken")

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.entries: list[_Entry] = []
        #: Nodes' worth of later tasks that were started before its first.
        self.overtaken = 0
        #: The manager that is kept for its first.
        self.kept: bytes | None = None

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


class NodeQueue:
    """Waiting tasks that ask for nodes. Owned by the interchange's loop."""

    def __init__(self) -> None:
        #: By the number of nodes, and by about how long they take.
        self._lines: dict[tuple[int, int], _Line] = {}
        self._order = itertools.count()
        self._dropped: set[int] = set()

    def __repr__(self) -> str:
        return f"<NodeQueue tasks={len(self)} sizes={sorted({nodes for nodes, _ in self._lines})}>"

    def __len__(self) -> int:
        return sum(len(line.entries) for line in self._lines.values()) - len(self._dropped)

    def __iter__(self) -> Iterator[Task]:
        entries = sorted(
            (entry for line in self._lines.values() for entry in line.entries), key=lambda entry: entry[:2]
        )
        return (task for _, _, task in entries if task.id not in self._dropped)

    def extend(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            nodes = task.num_nodes
            line = self._lines.setdefault((nodes, time_line(task)), _Line(nodes))
            heapq.heappush(line.entries, (urgency_of(task), next(self._order), task))

    def drop(self, task_id: int) -> None:
        """Forget a task that is known to be in the queue."""
        self._dropped.add(task_id)

    def place(self, rooms: Sequence[Room]) -> list[tuple[bytes, Task]]:
        """Take out the tasks that start now.

        Args:
            rooms: All managers that take tasks, full ones as well; their counts are brought up to date.

        Returns: managers and their new tasks, in the order of the starts.
        """
        placed: list[tuple[bytes, Task]] = []
        while (start := self._next_start(rooms)) is not None:
            line, room, passed = start
            for overtaken in passed:
                overtaken.overtaken += line.nodes
            room.free_nodes -= line.nodes
            room.slots -= 1
            placed.append((room.name, line.pop()))
        return placed

    @property
    def has_timed(self) -> bool:
        """Whether tasks wait that say how long they take."""
        return any(time for _, time in self._lines)

    def count_without_time(self, offered: TimeOffered) -> int:
        """About how many tasks have to wait for a block with more time."""
        return sum(
            len(line.entries)
            for line in self._lines.values()
            if line.entries and offered.is_too_little_for(line.first)
        )

    def _next_start(self, rooms: Sequence[Room]) -> tuple[_Line, Room, list[_Line]] | None:
        """Returns: whose first task starts next, where, and whom it overtakes."""
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
            while line.entries and line.entries[0][2].id in self._dropped:
                self._dropped.discard(heapq.heappop(line.entries)[2].id)
        self._lines = {key: line for key, line in self._lines.items() if line.entries}
        return sorted(self._lines.values(), key=lambda line: line.order)


def _keep(line: _Line, rooms: Sequence[Room]) -> bytes | None:
    """Choose the manager to keep for a task: the one with the most free nodes; if equal, the same again."""
    large_enough = [room for room in rooms if room.nodes >= line.nodes and fits_in(line.first, room.left_s)]
    if not large_enough:
        return None
    return max(large_enough, key=lambda room: (room.free_nodes, room.name == line.kept)).name
