"""Tasks that wait for a manager.

Tasks are ordered by priority (lower first), those without a priority by arrival. A task with an expected run
time is overtaken by others where too little time is left for it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from parsl.executors.high_throughput.wire.protocol import Task

#: Urgency, number and task; the least of several comes first.
Entry = tuple[float, int, Task]

#: Tasks whose run times differ by less than this factor wait in one line, of which only the first is checked.
_SAME_LINE = 1.1


@dataclass(frozen=True)
class TimeOffered:
    """How much time managers have for tasks (seconds)."""

    #: The most that any connected manager has left.
    now_s: float
    #: The most that any manager had when it registered.
    fresh_s: float

    def is_too_little_for(self, task: Task) -> bool:
        """Whether a task has to wait for another block, and would fit into one."""
        return task.fits_in(self.fresh_s) and not task.fits_in(self.now_s)


@dataclass(slots=True, eq=False)
class Line:
    """The waiting tasks of one size and about one run time: if the first cannot start, none can."""

    nodes: int
    #: How many ranks its tasks have on a node that they share with others; 0 for nodes of their own.
    shared_ranks: int = 0
    entries: list[Entry] = field(default_factory=list)
    #: Where tasks request nodes: how many nodes' worth of later tasks have started before the first one, and
    #: the manager that is kept for it.
    overtaken: int = 0
    kept: bytes | None = None

    @property
    def order(self) -> tuple[float, int]:
        return self.entries[0][:2]

    @property
    def first(self) -> Task:
        return self.entries[0][2]

    def pop(self) -> Task:
        self.overtaken, self.kept = 0, None
        return heapq.heappop(self.entries)[2]


class WaitingTasks(ABC):
    """A queue that knows which tasks wait in it. A dropped task is skipped when its turn comes."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        #: Those that are not considered one by one, by nodes, ranks on a shared node, and about how long they
        #: take.
        self._lines: dict[tuple[int, int, int], Line] = {}
        self._order = itertools.count()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} tasks={len(self)}>"

    def __len__(self) -> int:
        return len(self._ids)

    def extend(self, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        self._ids.update([task.id for task in tasks])
        self._append(tasks)

    def drop(self, task_id: int) -> bool:
        if task_id not in self._ids:
            return False
        self._ids.remove(task_id)
        return True

    @abstractmethod
    def _append(self, tasks: list[Task]) -> None: ...

    def _line_up(self, task: Task, number: int, shared_ranks: int = 0) -> None:
        """Add a task to its line; of equally urgent ones, that with the lowest number is the first."""
        length = 0 if task.runtime_s is None else 1 + round(math.log(max(task.runtime_s, 1.0), _SAME_LINE))
        key = task.num_nodes, shared_ranks, length
        line = self._lines.get(key) or self._lines.setdefault(key, Line(task.num_nodes, shared_ranks))
        urgency = math.inf if task.priority is None else task.priority
        heapq.heappush(line.entries, (urgency, number, task))

    def _occupied_lines(self) -> list[Line]:
        """Return the lines in which tasks wait, each with such a task at its front."""
        for key, line in list(self._lines.items()):
            while line.entries and line.first.id not in self._ids:
                heapq.heappop(line.entries)
            if not line.entries:
                del self._lines[key]
        return list(self._lines.values())

    @property
    def has_timed(self) -> bool:
        """Whether tasks with an expected run time wait."""
        return any(line.entries and line.first.runtime_s is not None for line in self._lines.values())

    def count_without_time(self, offered: TimeOffered) -> int:
        """Count the tasks that wait for a block with more time: the first task decides for its whole line."""
        lines = [line for line in self._lines.values() if line.entries]
        return sum(len(line.entries) for line in lines if offered.is_too_little_for(line.first))


class TaskQueue(WaitingTasks):
    """The queue of tasks that need one worker each. Owned by the interchange's loop."""

    def __init__(self) -> None:
        super().__init__()
        self._plain: deque[Task] = deque()
        self._urgent: list[Entry] = []

    def _append(self, tasks: list[Task]) -> None:
        for task in tasks:
            if task.runtime_s is not None:
                self._line_up(task, task.id)
            elif task.priority is None:
                self._plain.append(task)
            else:
                heapq.heappush(self._urgent, (task.priority, next(self._order), task))

    def take(self, count: int, left_s: float = math.inf) -> list[Task]:
        """Remove and return the next tasks, at most `count`, that fit into the time left (seconds)."""
        taken: list[Task] = []
        if self._lines:
            while len(taken) < count and (task := self._take_one(left_s)) is not None:
                taken.append(task)
        else:
            while len(taken) < count and (self._urgent or self._plain):
                task = self._pop()
                if task.id in self._ids:
                    taken.append(task)
        self._ids.difference_update([task.id for task in taken])
        return taken

    def _take_one(self, left_s: float) -> Task | None:
        lines = [line for line in self._occupied_lines() if line.first.fits_in(left_s)]
        timed = min(lines, key=lambda line: line.order, default=None)
        other = self._first_other()
        if timed is not None and (other is None or timed.order < other):
            return timed.pop()
        return None if other is None else self._pop()

    def _first_other(self) -> tuple[float, int] | None:
        """Return urgency and number of the first task without an expected run time."""
        while self._urgent or self._plain:
            urgency, task = self._urgent[0][::2] if self._urgent else (math.inf, self._plain[0])
            if task.id in self._ids:
                return urgency, task.id
            self._pop()
        return None

    def _pop(self) -> Task:
        return heapq.heappop(self._urgent)[2] if self._urgent else self._plain.popleft()
