"""The dependencies of a run's tasks as arrays: the level of each task, and all edges."""

from __future__ import annotations

from array import array
from itertools import islice

import numpy as np

from parsl.dashboard.task_table import Ints
from parsl.eventlog.history import RunHistory


class Dependencies:
    """Keeps the dependencies of a growing history. Owned by one thread at a time.

    The level of a task is 0 without dependencies; otherwise one above the highest level among those.
    """

    def __init__(self) -> None:
        self._levels = array("I")
        self._before = array("I")
        self._after = array("I")
        self._taken = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._taken} tasks, {len(self._before)} edges>"

    def take(self, history: RunHistory, limit: int | None = None) -> None:
        """Take in what is new in a history, at most ``limit`` tasks."""
        stop = None if limit is None else self._taken + limit
        news = sorted(islice(history.depends.items(), self._taken, stop))
        self._taken += len(news)
        levels, before, after = self._levels, self._before, self._after
        for task, depends in news:
            self._make_room(max(task, *depends))
            levels[task] = 1 + max(levels[other] for other in depends)
            before.extend(depends)
            after.extend([task] * len(depends))

    def _make_room(self, task: int) -> None:
        missing = task + 1 - len(self._levels)
        if missing > 0:
            self._levels.frombytes(bytes(self._levels.itemsize * (missing + len(self._levels) // 4)))

    def levels(self, tasks: Ints) -> Ints:
        """Return the levels of tasks, given their numbers."""
        known = np.array(self._levels, dtype=np.int64)
        levels = np.zeros(len(tasks), dtype=np.int64)
        has_level = tasks < len(known)
        levels[has_level] = known[tasks[has_level]]
        return levels

    def edges(self) -> tuple[Ints, Ints]:
        """Return all edges: the numbers of tasks, and those of the tasks that depend on them."""
        return np.array(self._before, dtype=np.int64), np.array(self._after, dtype=np.int64)

    def after(self, task: int, limit: int) -> tuple[list[int], int]:
        """Return the first tasks that depend on a task, at most ``limit``, and how many do."""
        before, after = self.edges()
        found = after[before == task]
        return [int(number) for number in found[:limit]], len(found)
