"""Which waiting task goes to which manager."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.task_queue import TaskQueue, WaitingTasks
from parsl.executors.high_throughput.manager_selector import ManagerSelector, RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import Task

#: A task that is fetched ahead has to wait, so that the time it will have is unknown.
_NO_TIME = -math.inf


class Matching(ABC):
    """The waiting tasks and the rule that assigns them to managers. Owned by the interchange's loop."""

    queue: WaitingTasks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} queued={len(self.queue)}>"

    @abstractmethod
    def match(self, managers: Mapping[bytes, Manager], now_s: float) -> list[tuple[Manager, list[Task]]]:
        """Assign waiting tasks to managers, and return the managers that get tasks, with these tasks."""

    def offer(self, manager: Manager) -> None:  # noqa: B027
        """Consider a manager, which may have capacity now, in the next match."""

    def forget(self, manager: Manager) -> None:  # noqa: B027
        """Consider a manager no more."""


class WorkerMatching(Matching):
    """Tasks go to free workers first, then to managers that fetch ahead.

    A task with an expected run time goes only to a free worker, of a manager that has enough time left.
    """

    def __init__(self, selector: ManagerSelector) -> None:
        self.queue: TaskQueue = TaskQueue()
        self._selector = selector
        self._is_random = type(selector) is RandomManagerSelector
        #: Managers that may have free workers, and managers that may have room, in the order of their turns.
        self._with_free_workers: OrderedDict[bytes, Manager] = OrderedDict()
        self._with_room: OrderedDict[bytes, Manager] = OrderedDict()

    def __repr__(self) -> str:
        counts = f"free={len(self._with_free_workers)} room={len(self._with_room)}"
        return f"<WorkerMatching queued={len(self.queue)} {counts}>"

    def offer(self, manager: Manager) -> None:
        if manager.free_workers > 0:
            self._with_free_workers[manager.identity] = manager
        if manager.room > 0:
            self._with_room[manager.identity] = manager

    def forget(self, manager: Manager) -> None:
        self._with_free_workers.pop(manager.identity, None)
        self._with_room.pop(manager.identity, None)

    def match(self, managers: Mapping[bytes, Manager], now_s: float) -> list[tuple[Manager, list[Task]]]:
        given: dict[Manager, list[Task]] = {}
        for manager in self._in_order(managers, self._with_free_workers, attrgetter("free_workers")):
            self._assign(manager, manager.free_workers, given, manager.left_s(now_s))
        before = -1
        while len(self.queue) and self._with_room and len(self.queue) != before:
            before, left = len(self.queue), len(self._with_room)
            for manager in self._in_order(managers, self._with_room, attrgetter("room")):
                share = -(-len(self.queue) // left)
                self._assign(manager, min(manager.room, share), given, _NO_TIME)
                left -= 1
        return list(given.items())

    def _in_order(
        self,
        managers: Mapping[bytes, Manager],
        candidates: OrderedDict[bytes, Manager],
        capacity: Callable[[Manager], int],
    ) -> Iterator[Manager]:
        """Yield the candidates that have capacity, in the selector's order, as long as tasks wait.

        With the random selector any order will do. Then managers take turns, because looking at more managers
        than there are tasks costs too much on a large machine.
        """
        if not self._is_random and candidates and len(self.queue):
            for identity in [identity for identity, each in candidates.items() if capacity(each) <= 0]:
                del candidates[identity]
            chosen = self._selector.sort_managers(managers, set(candidates)) if candidates else []
            in_turn = (managers[each] for each in reversed(chosen))
            yield from itertools.takewhile(lambda _: len(self.queue), in_turn)
            return
        for _ in range(len(candidates)):
            if not len(self.queue):
                return
            identity, manager = next(iter(candidates.items()))
            candidates.move_to_end(identity)
            if capacity(manager) > 0:
                yield manager
            if capacity(manager) <= 0:
                del candidates[identity]

    def _assign(self, manager: Manager, count: int, given: dict[Manager, list[Task]], left_s: float) -> None:
        if count > 0 and (tasks := self.queue.take(count, left_s)):
            manager.hold(tasks)
            given.setdefault(manager, []).extend(tasks)
