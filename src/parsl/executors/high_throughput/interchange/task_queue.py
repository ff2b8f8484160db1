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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parsl.executors.high_throughput.wire.protocol import Task

#: Urgency, number and task; the least of several comes first.
Entry = tuple[float, int, Task]

#: Tasks whose run times differ by less than this factor wait in one line, of which only the first is checked.
_SAME_LINE = 1.1


def urgency_of(task: Task) -> float:
    """The key by which tasks are ordered: lower first, tasks without a priority last."""
    return math.inf if task.priority is None else task.priority


def time_line(task: Task) -> int:
    """The line for tasks of about this run time; 0 for a task without one."""
    if task.runtime_s is None:
        return 0
    return 1 + round(math.log(max(task.runtime_s, 1.0)) / math.log(_SAME_LINE))


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


class WaitingTasks(ABC):
    """A queue that knows which tasks wait in it. A dropped task is skipped when its turn comes."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

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

    @abstractmethod
    def __iter__(self) -> Iterator[Task]: ...

    @property
    @abstractmethod
    def has_timed(self) -> bool:
        """Whether tasks with an expected run time wait."""

    @abstractmethod
    def count_without_time(self, offered: TimeOffered) -> int:
        """Count, approximately, the tasks that have to wait for a block with more time."""


class TaskQueue(WaitingTasks):
    """The queue of tasks that need one worker each. Owned by the interchange's loop."""

    def __init__(self) -> None:
        super().__init__()
        self._plain: deque[Task] = deque()
        self._urgent: list[Entry] = []
        self._timed = _TimedTasks()
        self._order = itertools.count()

    def __iter__(self) -> Iterator[Task]:
        urgent = (task for _, _, task in self._urgent)
        waiting = itertools.chain(urgent, self._plain, self._timed)
        return (task for task in waiting if task.id in self._ids)

    def _append(self, tasks: list[Task]) -> None:
        for task in tasks:
            if task.runtime_s is not None:
                self._timed.add(task)
            elif task.priority is None:
                self._plain.append(task)
            else:
                heapq.heappush(self._urgent, (task.priority, next(self._order), task))

    def take(self, count: int, left_s: float = math.inf) -> list[Task]:
        """Remove and return the next tasks, at most `count`, that fit into the time left (seconds)."""
        taken: list[Task] = []
        if self._timed:
            while len(taken) < count and (task := self._take_one(left_s)) is not None:
                taken.append(task)
        else:
            while len(taken) < count and (self._urgent or self._plain):
                task = self._pop()
                if task.id in self._ids:
                    taken.append(task)
        self._ids.difference_update([task.id for task in taken])
        return taken

    @property
    def has_timed(self) -> bool:
        return bool(self._timed)

    def count_without_time(self, offered: TimeOffered) -> int:
        return self._timed.count_without_time(offered)

    def _take_one(self, left_s: float) -> Task | None:
        timed = self._timed.first(left_s, self._ids)
        other = self._first_other()
        if timed is not None and (other is None or timed[:2] < other):
            return self._timed.take(timed)
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


class _TimedTasks:
    """Tasks in lines by expected run time, so that those that fit nowhere need not be searched."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Entry]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[Task]:
        return (task for line in self._lines.values() for _, _, task in line)

    def add(self, task: Task) -> None:
        heapq.heappush(self._lines.setdefault(time_line(task), []), (urgency_of(task), task.id, task))

    def first(self, left_s: float, waiting: set[int]) -> Entry | None:
        """Find the first task that fits into the time left (seconds); remove only those not `waiting`."""
        for number, line in list(self._lines.items()):
            while line and line[0][1] not in waiting:
                heapq.heappop(line)
            if not line:
                del self._lines[number]
        heads = [line[0] for line in self._lines.values() if line[0][2].fits_in(left_s)]
        return min(heads, key=lambda entry: entry[:2], default=None)

    def take(self, entry: Entry) -> Task:
        """Remove the task that `first` has found."""
        number = time_line(entry[2])
        line = self._lines[number]
        heapq.heappop(line)
        if not line:
            del self._lines[number]
        return entry[2]

    def count_without_time(self, offered: TimeOffered) -> int:
        """Count the tasks that have to wait for another block: the first task decides for its whole line."""
        return sum(len(line) for line in self._lines.values() if offered.is_too_little_for(line[0][2]))
