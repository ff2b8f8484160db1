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
- If the user allows it, tasks of one node share nodes: a task goes to the shared node with the fewest free
  ranks that are enough, and opens another one only if there is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import Matching
from parsl.executors.high_throughput.interchange.task_queue import Line, WaitingTasks
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
    #: How many ranks are free on each shared node, by the number of its first task.
    shared: dict[int, int] = field(default_factory=dict)

    def fits(self, line: Line) -> bool:
        has_nodes = self.free_nodes >= line.nodes or self.shared_node(line.shared_ranks) is not None
        return self.slots > 0 and has_nodes and line.first.fits_in(self.left_s)

    def shared_node(self, ranks: int) -> int | None:
        """Return the open shared node with the fewest free ranks that are enough; None if there is none."""
        fitting = [node for node, free in self.shared.items() if free >= ranks > 0]
        return min(fitting, key=lambda node: (self.shared[node], node), default=None)


class NodeQueue(WaitingTasks):
    """Waiting tasks that request nodes. Owned by the interchange's loop.

    Args:
        max_ranks: How many ranks a node runs at once, so that tasks of one node may share it; 0 for no limit,
            and nodes of its own for each task.
    """

    def __init__(self, max_ranks: int = 0) -> None:
        super().__init__()
        self.max_ranks = max_ranks

    def __repr__(self) -> str:
        return f"<NodeQueue tasks={len(self)} sizes={sorted({nodes for nodes, *_ in self._lines})}>"

    def _append(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._line_up(task, next(self._order), self._shared_ranks(task))

    def _shared_ranks(self, task: Task) -> int:
        """Return how many ranks a task has on a shared node; 0 if it needs nodes of its own."""
        if task.resources is None or task.num_nodes > 1 or task.resources.num_ranks >= self.max_ranks:
            return 0
        return task.resources.num_ranks

    def place(self, rooms: Sequence[Room]) -> list[tuple[bytes, Task]]:
        """Remove the tasks that start now, and return them with their managers; update the rooms."""
        placed: list[tuple[bytes, Task]] = []
        while (start := self._next_start(rooms)) is not None:
            line, room, passed = start
            for overtaken in passed:
                overtaken.overtaken += line.nodes
            task = line.pop()
            self._take_nodes(room, line, task)
            self._ids.discard(task.id)
            placed.append((room.name, task))
        return placed

    def _take_nodes(self, room: Room, line: Line, task: Task) -> None:
        room.slots -= 1
        node = room.shared_node(line.shared_ranks)
        if node is None:
            room.free_nodes -= line.nodes
        if line.shared_ranks and task.resources is not None:
            node = task.id if node is None else node
            room.shared[node] = room.shared.get(node, self.max_ranks) - line.shared_ranks
            task.resources = replace(task.resources, shared_node=node)

    def _next_start(self, rooms: Sequence[Room]) -> tuple[Line, Room, list[Line]] | None:
        """Find the line whose first task starts next, the manager for it, and the lines that it overtakes."""
        passed: list[Line] = []
        kept: set[bytes] = set()
        for line in sorted(self._occupied_lines(), key=lambda line: line.order):
            open_rooms = [room for room in rooms if room.name not in kept]
            fitting = [room for room in open_rooms if room.fits(line)]
            if fitting:
                return line, min(fitting, key=lambda room: _cost(room, line)), passed
            if line.overtaken >= MAX_OVERTAKEN * line.nodes:
                line.kept = _keep(line, open_rooms)
                if line.kept is not None:
                    kept.add(line.kept)
            passed.append(line)
        return None


def _cost(room: Room, line: Line) -> tuple[bool, int]:
    """Return what orders the managers where a task fits: whether it needs another node, and free nodes."""
    return room.shared_node(line.shared_ranks) is None, room.free_nodes


def _keep(line: Line, rooms: Sequence[Room]) -> bytes | None:
    """Choose the manager to keep for a task: the one with the most free nodes, of equals the present one."""
    large_enough = [room for room in rooms if room.nodes >= line.nodes and line.first.fits_in(room.left_s)]
    if not large_enough:
        return None
    return max(large_enough, key=lambda room: (room.free_nodes, room.name == line.kept)).name


class NodeMatching(Matching):
    """A manager gets a task only when it can start it at once: with enough free nodes, a worker, a launch."""

    def __init__(self, max_ranks: int = 0) -> None:
        self.queue: NodeQueue = NodeQueue(max_ranks)

    def match(self, managers: Mapping[bytes, Manager], now_s: float) -> list[tuple[Manager, list[Task]]]:
        if not len(self.queue):
            return []
        max_ranks = self.queue.max_ranks
        rooms = [_room_of(manager, now_s, max_ranks) for manager in managers.values() if manager.takes_tasks]
        given: dict[Manager, list[Task]] = {}
        for identity, task in self.queue.place(rooms):
            manager = managers[identity]
            manager.hold([task])
            if manager.launches is not None:
                manager.launches -= 1
            given.setdefault(manager, []).append(task)
        return list(given.items())


def _room_of(manager: Manager, now_s: float, max_ranks: int) -> Room:
    slots = manager.free_workers if manager.launches is None else min(manager.free_workers, manager.launches)
    free_ranks = {node: max_ranks - used for node, used in manager.node_use.ranks().items()}
    return Room(manager.identity, manager.nodes, manager.free_nodes, slots, manager.left_s(now_s), free_ranks)
