"""Tasks that wait for a manager."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator

from parsl.executors.high_throughput.interchange.timed_tasks import TimedTasks, TimeOffered
from parsl.executors.high_throughput.wire.protocol import Task


class TaskQueue:
    """Tasks that wait for a manager: by priority (lower first) where they have one, else as they came.

    Those that say how long they take are overtaken by others where there is not enough time left for them.
    """

    def __init__(self) -> None:
        self._plain: deque[Task] = deque()
        self._urgent: list[tuple[float, int, Task]] = []
        self._timed = TimedTasks()
        self._order = itertools.count()
        self._dropped: set[int] = set()

    def __repr__(self) -> str:
        return f"<TaskQueue tasks={len(self)}>"

    def __len__(self) -> int:
        waiting = len(self._plain) + len(self._urgent) - len(self._dropped)
        return waiting + len(self._timed) if self._timed else waiting

    def extend(self, tasks: Iterable[Task]) -> None:
        """Have tasks wait."""
        for task in tasks:
            if task.runtime_s is not None:
                self._timed.add(task)
            elif task.priority is None:
                self._plain.append(task)
            else:
                heapq.heappush(self._urgent, (task.priority, next(self._order), task))

    def drop(self, task_id: int) -> None:
        """Forget a task that is known to be in the queue."""
        self._dropped.add(task_id)

    def take(self, count: int, left_s: float = math.inf) -> list[Task]:
        """Remove the next `count` tasks, fewer when there are fewer.

        Args:
            count: how many.
            left_s: how much time there is for each, in seconds.
        """
        taken: list[Task] = []
        if self._timed:
            while len(taken) < count and (task := self._take_one(left_s)) is not None:
                taken.append(task)
            return taken
        while len(taken) < count and (self._urgent or self._plain):
            task = self._pop()
            if self._dropped and task.id in self._dropped:
                self._dropped.discard(task.id)
            else:
                taken.append(task)
        return taken

    @property
    def has_timed(self) -> bool:
        """Whether tasks wait that say how long they take."""
        return bool(self._timed)

    def count_without_time(self, offered: TimeOffered) -> int:
        """About how many tasks have to wait for a block with more time."""
        return self._timed.count_without_time(offered)

    def _take_one(self, left_s: float) -> Task | None:
        timed = self._timed.first(left_s, self._dropped)
        other = self._first_other()
        if timed is not None and (other is None or timed[:2] < other):
            return self._timed.take(timed)
        return None if other is None else self._pop()

    def _first_other(self) -> tuple[float, int] | None:
        """Urgency and number of the first task that does not say how long it takes."""
        while self._urgent or self._plain:
            urgency, task = self._urgent[0][::2] if self._urgent else (math.inf, self._plain[0])
            if task.id not in self._dropped:
                return urgency, task.id
            self._dropped.discard(self._pop().id)
        return None

    def _pop(self) -> Task:
        return heapq.heappop(self._urgent)[2] if self._urgent else self._plain.popleft()

    def __iter__(self) -> Iterator[Task]:
        urgent = (task for _, _, task in self._urgent)
        waiting = itertools.chain(urgent, self._plain, self._timed)
        return (task for task in waiting if task.id not in self._dropped)
