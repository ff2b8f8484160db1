"""The decisions of the interchange: the queue, the managers, and which task goes where.

No socket, process or clock in here: told what happened and when, it answers what to send. All of it can be
rebuilt from the two ends: the driver knows what must run, the managers know what they hold.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord, Recount
from parsl.executors.high_throughput.interchange.restoration import Restoration
from parsl.executors.high_throughput.interchange.task_queue import TaskQueue
from parsl.executors.high_throughput.interchange.timed_tasks import TimeOffered
from parsl.executors.high_throughput.manager_selector import ManagerSelector, RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import Register, Result, Results, Task

#: Where a task would have to wait, it cannot be said how much time it will have.
_NO_TIME = -math.inf


class InterchangeState:
    """Queue and managers. Owned by the interchange's loop."""

    def __init__(self, selector: ManagerSelector) -> None:
        self._selector = selector
        #: What has to be found out first, where this interchange takes another's place.
        self.restoration: Restoration | None = None
        self._is_random = type(selector) is RandomManagerSelector
        self.queue = TaskQueue()
        self._queued: set[int] = set()
        self.managers: dict[bytes, ManagerRecord] = {}
        #: Managers that may have free workers, and managers that may have room; looked at when tasks are
        #: matched, in this order.
        self._with_free_workers: OrderedDict[bytes, ManagerRecord] = OrderedDict()
        self._with_room: OrderedDict[bytes, ManagerRecord] = OrderedDict()
        self._held_blocks: set[str] = set()
        #: Which manager has a task; the managers of a block; those whose connection is closed.
        self._holders: dict[int, bytes] = {}
        self._members: dict[str, dict[bytes, None]] = {}
        self._unreachable: dict[bytes, ManagerRecord] = {}
        #: The most time that a manager had when it came, in seconds.
        self._longest_s = 0.0

    def __repr__(self) -> str:
        return f"<InterchangeState queued={len(self.queue)} managers={len(self.managers)}>"

    # The driver's side

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Have tasks wait: for a manager, or to be claimed by the one that holds them."""
        tasks = list(tasks)
        if self.restoration is not None and not self.restoration.is_complete:
            self.restoration.offer(tasks)
            return
        self._queued.update([task.id for task in tasks])
        self._enqueue(tasks)

    def _enqueue(self, tasks: Sequence[Task]) -> None:
        self.queue.extend(tasks)

    def end_restoration(self) -> bool:
        """Give out what nobody holds, if nobody is waited for any more. Returns: whether that is so now."""
        if self.restoration is None or not self.restoration.is_over:
            return False
        rest, self.restoration = self.restoration.rest(), None
        self.add_tasks(rest)
        return True

    def cancel(self, task_id: int) -> bytes | None:
        """Forget a task if it waits here.

        Returns: the manager that has it, if one has; it must be told.
        """
        if task_id in self._queued:
            self._queued.discard(task_id)
            self._dequeue(task_id)
            return None
        if self.restoration is not None and self.restoration.drop(task_id):
            return None
        return self._holders.get(task_id)

    def _dequeue(self, task_id: int) -> None:
        self.queue.drop(task_id)

    def match(self, now_s: float = 0.0) -> list[tuple[bytes, list[Task]]]:
        """Give waiting tasks to managers: to free workers first, then to managers that fetch ahead.

        A task that says how long it takes goes to a free worker, where enough time is left.

        Returns: which manager gets which tasks.
        """
        given: dict[bytes, list[Task]] = {}
        for name in self._ordered(self._with_free_workers, _free_workers):
            record = self.managers[name]
            self._give(name, record.free_workers, given, record.left_s(now_s))
        before = -1
        while len(self.queue) and self._with_room and len(self.queue) != before:
            before, left = len(self.queue), len(self._with_room)
            for name in self._ordered(self._with_room, _room):
                share = -(-len(self.queue) // left)
                self._give(name, min(self.managers[name].room, share), given, _NO_TIME)
                left -= 1
        return list(given.items())

    def _ordered(
        self, candidates: OrderedDict[bytes, ManagerRecord], wants: Callable[[ManagerRecord], int]
    ) -> Iterator[bytes]:
        """The candidates that want tasks, in the selector's order, as long as there are tasks.

        Any order is right for the random one, and to look at more managers than there are tasks costs too
        much on a large machine: they get tasks in turn.
        """
        if not self._is_random and candidates and len(self.queue):
            for name in [name for name, record in candidates.items() if wants(record) <= 0]:
                del candidates[name]
            chosen = self._selector.sort_managers(self.managers, set(candidates)) if candidates else []
            yield from itertools.takewhile(lambda _: len(self.queue), chosen)
            return
        for _ in range(len(candidates)):
            if not len(self.queue):
                return
            name, record = next(iter(candidates.items()))
            candidates.move_to_end(name)
            if wants(record) > 0:
                yield name
            if wants(record) <= 0:
                del candidates[name]

    def _has_room(self, name: bytes, record: ManagerRecord) -> None:
        """Look at this manager when tasks are matched next."""
        if record.free_workers > 0:
            self._with_free_workers[name] = record
        if record.room > 0:
            self._with_room[name] = record

    def _give(self, name: bytes, count: int, given: dict[bytes, list[Task]], left_s: float) -> None:
        if count <= 0:
            return
        record = self.managers[name]
        tasks = self.queue.take(count, left_s)
        if not tasks:
            return
        ids = [task.id for task in tasks]
        self._queued.difference_update(ids)
        self._hold(name, record, ids)
        given.setdefault(name, []).extend(tasks)

    def _hold(self, name: bytes, record: ManagerRecord, ids: Sequence[int]) -> None:
        """A manager has tasks from now on."""
        record.held.update(ids)
        record.idle_since = None
        self._holders.update(dict.fromkeys(ids, name))

    def _let_go(self, record: ManagerRecord, ids: Iterable[int]) -> None:
        """A manager has tasks no more that it had."""
        record.held.difference_update(ids)
        for task_id in ids:
            self._holders.pop(task_id, None)

    # The managers' side

    def register(self, name: bytes, register: Register, now_s: float) -> tuple[ManagerRecord, list[int]]:
        """A manager introduces itself.

        Returns: what is known of it; and those of the tasks that it says it holds which are not its to have.
        """
        record = ManagerRecord(register, now_s)
        claimed: list[Task] = []
        strange: list[int] = register.held
        if self.restoration is not None:
            claimed, strange = self.restoration.claim(name, register.held)
        if (before := self.managers.get(name)) is not None:
            # It has been here all the time. What it had not got yet when it said this is found by asking.
            record.held |= before.held
            record.recount = Recount.WANTED
            record.question = before.question
            strange = [task_id for task_id in strange if task_id not in before.held]
            self._leave_block(name, before.block)
            self._unreachable.pop(name, None)
        record.on_hold = record.block in self._held_blocks
        self.managers[name] = record
        self._members.setdefault(record.block, {})[name] = None
        self._longest_s = max(self._longest_s, record.left_s(now_s))
        self._take_over(name, record, claimed)
        self._has_room(name, record)
        return record, strange

    def _take_over(self, name: bytes, record: ManagerRecord, claimed: Sequence[Task]) -> None:
        """Some of the tasks that were offered are with this manager."""
        self._hold(name, record, [task.id for task in claimed])
        record.idle_since = None if record.held else record.heard_at

    def announced(self, name: bytes) -> None:
        """The driver knows of this manager now."""
        if (record := self.managers.get(name)) is not None:
            record.is_announced = True
            self._has_room(name, record)

    def results(self, name: bytes, message: Results, now_s: float) -> list[Result]:
        """A manager has brought results and says how many tasks it wants to hold from now on.

        Returns: those of tasks that it held; others have come before, or were never its to bring.
        """
        record = self.managers[name]
        results, held = message.results, record.held
        if message.serial == record.received + 1:
            record.received = message.serial
        ids = [result.id for result in results]
        if not held.issuperset(ids):
            results = [result for result in results if result.id in held]
            ids = [result.id for result in results]
        self._let_go(record, ids)
        record.capacity = message.capacity
        if not record.held and record.idle_since is None:
            record.idle_since = now_s
        self._has_room(name, record)
        return results

    def heard(self, name: bytes, now_s: float) -> ManagerRecord | None:
        """A sign of life. Returns: what is known of the manager; None when it is unknown."""
        record = self.managers.get(name)
        if record is None:
            return None
        record.heard_at = now_s
        if record.unreachable_since is not None:
            record.unreachable_since = None
            record.recount = Recount.WANTED
            del self._unreachable[name]
        return record

    def lose_contact(self, name: bytes, now_s: float) -> bool:
        """A manager's connection is closed. Returns: whether that is news."""
        record = self.managers.get(name)
        if record is None or record.unreachable_since is not None:
            return False
        record.unreachable_since = now_s
        self._unreachable[name] = record
        return True

    def recounted(self, name: bytes, held: Iterable[int]) -> list[int]:
        """A manager whose connection was interrupted says which tasks it holds.

        Returns: those that were lost on the way.
        """
        record = self.managers[name]
        lost = record.held.difference(held)
        self._let_go(record, lost)
        record.functions.clear()  # they may be lost as well
        record.recount = Recount.NOT_NEEDED
        self._has_room(name, record)
        return sorted(lost)

    def drain(self, name: bytes) -> None:
        self.managers[name].draining = True

    def hold_block(self, block: str, is_held: bool) -> None:
        """Give a block's managers no more tasks, those that are still to come neither; or do, after all."""
        if is_held:
            self._held_blocks.add(block)
        else:
            self._held_blocks.discard(block)
        for name in self.of_block(block):
            record = self.managers[name]
            record.on_hold = is_held
            self._has_room(name, record)

    def limit_host(self, host: str, most_tasks: int) -> None:
        """Let the managers of a node have no more tasks than this, each."""
        for name, record in self.managers.items():
            if record.host == host:
                record.most_tasks = most_tasks
                self._has_room(name, record)

    def remove(self, name: bytes) -> ManagerRecord:
        """A manager is gone. Returns: its record; the tasks it held are lost."""
        self._with_free_workers.pop(name, None)
        self._with_room.pop(name, None)
        self._unreachable.pop(name, None)
        record = self.managers.pop(name)
        for task_id in record.held:
            self._holders.pop(task_id, None)
        self._leave_block(name, record.block)
        return record

    def _leave_block(self, name: bytes, block: str) -> None:
        members = self._members[block]
        del members[name]
        if not members:
            del self._members[block]

    def of_block(self, block: str) -> list[bytes]:
        return list(self._members.get(block, ()))

    def silent(self, now_s: float, threshold_s: float, grace_s: float) -> list[tuple[bytes, str]]:
        """Managers that must be given up, with the reason."""
        gone = []
        for name, record in self.managers.items():
            if now_s - record.heard_at > threshold_s:
                gone.append((name, f"nothing was heard of it for {threshold_s:g} s"))
            elif record.unreachable_since is not None and now_s - record.unreachable_since >= grace_s:
                gone.append((name, "its connection was closed and did not come back"))
        return gone

    def extend_deadlines(self, late_s: float) -> None:
        """For so long nobody could be heard, because nobody listened: that is no manager's silence."""
        for record in self.managers.values():
            record.heard_at += late_s
            if record.unreachable_since is not None:
                record.unreachable_since += late_s

    def give_up_missing(self, block: str | None = None) -> list[tuple[bytes, str]]:
        """Wait no longer for managers, of a block or any, that a lost interchange knew.

        Returns: their names and blocks.
        """
        return [] if self.restoration is None else self.restoration.give_up(block)

    def unreachable(self) -> list[bytes]:
        """Managers whose connection is closed."""
        return list(self._unreachable)

    @property
    def has_timed_tasks(self) -> bool:
        """Whether tasks wait that say how long they take."""
        return self.queue.has_timed

    def count_without_time(self, now_s: float) -> int:
        """How many waiting tasks fit into the time of no manager, but would into that of a new block.

        0 while there is no manager: then blocks are wanted for other reasons.
        """
        if not self.has_timed_tasks or not self.managers:
            return 0
        left_s = [record.left_s(now_s) for record in self.managers.values() if not record.is_leaving]
        return self._count_without_time(TimeOffered(max(left_s, default=0.0), self._longest_s))

    def _count_without_time(self, offered: TimeOffered) -> int:
        return self.queue.count_without_time(offered)

    def infos(self, now_s: float) -> list[Any]:
        return [record.info(now_s) for record in self.managers.values()]


def _free_workers(record: ManagerRecord) -> int:
    return record.free_workers


def _room(record: ManagerRecord) -> int:
    return record.room
