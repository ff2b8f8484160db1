"""Waiting tasks that say how long they take: they go only where there is enough time left."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from parsl.executors.high_throughput.wire.protocol import Task

#: (urgency, number, task): the first of several is the least.
Entry = tuple[float, int, Task]

#: Tasks whose times differ by less than this factor wait in one line, of which only the first is looked at.
_SAME_LINE = 1.1


def urgency_of(task: Task) -> float:
    """By what tasks are ordered: lower first, and those without a priority last."""
    return math.inf if task.priority is None else task.priority


def time_line(task: Task) -> int:
    """The line that a task waits in, by how long it takes; 0 if it does not say."""
    if task.runtime_s is None:
        return 0
    return 1 + round(math.log(max(task.runtime_s, 1.0)) / math.log(_SAME_LINE))


@dataclass(frozen=True)
class TimeOffered:
    """How much time there is for tasks, in seconds.

    Args:
        now_s: What the managers have left that there are; the most of any.
        fresh_s: What they had when they came; the most of any.
    """

    now_s: float
    fresh_s: float

    def is_too_little_for(self, task: Task) -> bool:
        """Whether a task has to wait for another block, and could be done in one."""
        return fits_in(task, self.fresh_s) and not fits_in(task, self.now_s)


def fits_in(task: Task, left_s: float) -> bool:
    """Whether a task can be done in so many seconds, as far as it says."""
    return task.runtime_s is None or task.runtime_s <= left_s


class TimedTasks:
    """Tasks in lines by how long they take, so that those that fit nowhere now need not be looked through."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Entry]] = {}

    def __repr__(self) -> str:
        return f"<TimedTasks tasks={len(self)} lines={len(self._lines)}>"

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[Task]:
        return (task for line in self._lines.values() for _, _, task in line)

    def add(self, task: Task) -> None:
        """Have a task wait."""
        heapq.heappush(self._lines.setdefault(time_line(task), []), (urgency_of(task), task.id, task))

    def first(self, left_s: float, dropped: set[int]) -> Entry | None:
        """The first of the tasks that fit into so many seconds; it stays where it is.

        Args:
            left_s: how much time there is.
            dropped: tasks that are to be forgotten; those that are, are taken out of it.
        """
        for number, line in list(self._lines.items()):
            while line and line[0][1] in dropped:
                dropped.discard(heapq.heappop(line)[1])
            if not line:
                del self._lines[number]
        heads = [line[0] for line in self._lines.values() if fits_in(line[0][2], left_s)]
        return min(heads, key=lambda entry: entry[:2], default=None)

    def count_without_time(self, offered: TimeOffered) -> int:
        """How many have to wait for another block: whole lines, as the first in each decides."""
        return sum(len(line) for line in self._lines.values() if offered.is_too_little_for(line[0][2]))

    def take(self, entry: Entry) -> Task:
        """Take out what `first` has found."""
        number = time_line(entry[2])
        line = self._lines[number]
        heapq.heappop(line)
        if not line:
            del self._lines[number]
        return entry[2]
