"""The decisions of the interchange: which managers there are, and which task goes where.

No socket, process or clock in here: methods get events and the time, and return what to send. All of this
state can be rebuilt from the two ends: the driver knows what must run, the managers know what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parsl.executors.high_throughput.interchange.links import Link
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import Matching
from parsl.executors.high_throughput.interchange.task_queue import TimeOffered
from parsl.executors.high_throughput.wire.protocol import Register, Result, Results, Task


class Restoration:
    """What a replacement interchange must find out before it may dispatch the tasks that the driver offers.

    The driver offers every task that has not ended. The managers that were connected to the lost interchange
    hold some of these. Offered tasks are dispatched once all of those have registered or are given up.
    """

    def __init__(self, expected: Mapping[str, str]) -> None:
        self._expected = {name.encode(): block for name, block in expected.items()}
        #: Managers whose claims count: each may claim once.
        self._claimants = set(self._expected)
        #: Offered tasks that no manager has claimed. A manager may still have them, so they wait.
        self.offered: dict[int, Task] = {}
        #: Whether the driver has offered everything.
        self.is_complete = False

    def __repr__(self) -> str:
        return f"<Restoration offered={len(self.offered)} expected={len(self._expected)}>"

    @property
    def is_over(self) -> bool:
        return self.is_complete and not self._expected

    def claim(self, manager: bytes, held: list[int]) -> tuple[list[Task], list[int]]:
        """Return the offered tasks that a manager holds, and the ids of the others, which it must drop."""
        offered = self.offered if manager in self._claimants else {}
        claimed = {task_id: offered.pop(task_id) for task_id in held if task_id in offered}
        self._claimants.discard(manager)
        self._expected.pop(manager, None)
        return list(claimed.values()), [task_id for task_id in held if task_id not in claimed]

    def give_up(self, block: str | None = None) -> list[tuple[bytes, str]]:
        """Stop waiting for the managers of a block, or of all; return their names and blocks."""
        missing = [(name, of) for name, of in self._expected.items() if block is None or of == block]
        for name, _ in missing:
            del self._expected[name]
        return missing


class InterchangeState:
    """Tasks and managers. Owned by the interchange's loop."""

    def __init__(
        self, matching: Matching, restoration: Restoration | None = None, next_number: int = 0
    ) -> None:
        self.matching = matching
        self.restoration = restoration
        self.managers: dict[bytes, Manager] = {}
        #: The same managers by block, and by the tasks that they hold: with thousands of managers, ending a
        #: block or cancelling a task must not search them all.
        self._by_block: dict[str, dict[bytes, Manager]] = {}
        self._holders: dict[int, Manager] = {}
        #: Names of managers that were lost. Their tasks have failed, so they must not continue with them.
        self.lost: set[bytes] = set()
        self._held_blocks: set[str] = set()
        #: The number of the next new manager.
        self._next_number = next_number
        #: The most time that any manager had when it registered (seconds).
        self._fresh_s = 0.0

    def __repr__(self) -> str:
        return f"<InterchangeState managers={len(self.managers)} {self.matching!r}>"

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Let tasks wait: for a manager, or to be claimed by the manager that holds them."""
        if self.restoration is not None and not self.restoration.is_complete:
            self.restoration.offered.update((task.id, task) for task in tasks)
        else:
            self.matching.queue.extend(tasks)

    def cancel(self, task_id: int) -> Manager | None:
        """Forget a task if it waits here; otherwise return the manager that holds it, if there is one."""
        is_offered = self.restoration is not None and self.restoration.offered.pop(task_id, None) is not None
        return None if is_offered or self.matching.queue.drop(task_id) else self._holders.get(task_id)

    def match(self, now_s: float = 0.0) -> list[tuple[Manager, list[Task]]]:
        """Assign waiting tasks to managers, and return the managers that get tasks, with these tasks."""
        matches = self.matching.match(self.managers, now_s)
        for manager, tasks in matches:
            for task in tasks:
                self._holders[task.id] = manager
        return matches

    def register(self, register: Register, link: Link, now_s: float) -> tuple[Manager, list[int]]:
        """Add a manager, which gets no tasks before it is announced. Return it, and the ids it must drop."""
        manager = Manager(register, link, now_s)
        self._number(manager)
        claimed: list[Task] = []
        unknown: list[int] = register.held
        if self.restoration is not None:
            claimed, unknown = self.restoration.claim(manager.identity, register.held)
        if (before := self.managers.get(manager.identity)) is not None:
            self._delete(before)
            manager.take_over(before, register.held)
            unknown = [task_id for task_id in unknown if task_id not in before.held]
        manager.hold(claimed)
        manager.is_on_hold = manager.block in self._held_blocks
        self.managers[manager.identity] = manager
        self._by_block.setdefault(manager.block, {})[manager.identity] = manager
        self._holders.update(dict.fromkeys(manager.held, manager))
        self._fresh_s = max(self._fresh_s, manager.left_s(now_s))
        return manager, unknown

    def _number(self, manager: Manager) -> None:
        """Give a number to a manager that has none. One that registers again keeps its number."""
        if (before := self.managers.get(manager.identity)) is not None:
            manager.number = before.number
        elif manager.number < 0:
            manager.number = self._next_number
        self._next_number = max(self._next_number, manager.number + 1)

    def announced(self, manager: Manager) -> None:
        """Record that the driver knows a manager, which gets tasks from now on."""
        if not manager.is_gone:
            manager.is_announced = True
            self.matching.offer(manager)

    def remove(self, manager: Manager) -> None:
        """Remove a lost manager. The tasks that it held are lost."""
        self._delete(manager)
        self.lost.add(manager.identity)
        manager.link.forget_connection()

    def _delete(self, manager: Manager) -> None:
        del self.managers[manager.identity]
        in_block = self._by_block[manager.block]
        del in_block[manager.identity]
        if not in_block:
            del self._by_block[manager.block]
        self._release(manager.held)
        manager.is_gone = True
        self.matching.forget(manager)

    def finish(self, manager: Manager, message: Results, now_s: float) -> list[Result]:
        """Take results from a manager, which may have room for other tasks now; see `Manager.finish`."""
        results = manager.finish(message, now_s)
        self._release([result.id for result in results])
        self.matching.offer(manager)
        return results

    def recounted(self, manager: Manager, reported: Iterable[int]) -> list[int]:
        """Take a manager's report of the tasks it holds; see `Manager.recounted`."""
        lost = manager.recounted(reported)
        self._release(lost)
        self.matching.offer(manager)
        return lost

    def _release(self, ids: Iterable[int]) -> None:
        for task_id in ids:
            self._holders.pop(task_id, None)

    def hold_block(self, block: str, is_held: bool) -> None:
        """Send no more tasks to the managers of a block, including those that register later; or resume."""
        if is_held:
            self._held_blocks.add(block)
        else:
            self._held_blocks.discard(block)
        for manager in self.of_block(block):
            manager.is_on_hold = is_held
            self.matching.offer(manager)

    def limit_host(self, host: str, max_tasks: int) -> None:
        for manager in self.managers.values():
            if manager.host == host:
                manager.max_tasks = max_tasks
                self.matching.offer(manager)

    def of_block(self, block: str) -> list[Manager]:
        return list(self._by_block.get(block, {}).values())

    def silent(self, now_s: float, threshold_s: float, grace_s: float) -> list[tuple[Manager, str]]:
        """Return the managers that must be given up, with the reason."""
        found = []
        for manager in self.managers.values():
            since_s = manager.disconnected_since_s
            if now_s - manager.last_heard_s > threshold_s:
                found.append((manager, f"no message from it for {threshold_s:g} s"))
            elif since_s is not None and now_s - since_s >= grace_s:
                found.append((manager, "its connection was closed and did not come back"))
        return found

    def extend_deadlines(self, late_s: float) -> None:
        """Do not count time in which the interchange itself was not running as silence of managers."""
        for manager in self.managers.values():
            manager.last_heard_s += late_s
            if manager.disconnected_since_s is not None:
                manager.disconnected_since_s += late_s

    def give_up_missing(self, block: str | None = None) -> list[tuple[bytes, str]]:
        """Stop waiting for managers that the lost interchange had; see `Restoration.give_up`."""
        missing = [] if self.restoration is None else self.restoration.give_up(block)
        self.lost.update(identity for identity, _ in missing)
        return missing

    def end_restoration(self) -> bool:
        """Queue the tasks that no manager holds, and return True, if no manager is awaited any more."""
        if self.restoration is None or not self.restoration.is_over:
            return False
        rest, self.restoration = self.restoration.offered, None
        self.add_tasks(rest.values())
        return True

    def count_without_time(self, now_s: float) -> int:
        """Count the waiting tasks that no manager has the time for, though a new block would.

        Without any manager the count is 0, since blocks are needed for other reasons then.
        """
        if not self.matching.queue.has_timed or not self.managers:
            return 0
        left_s = [each.left_s(now_s) for each in self.managers.values() if not each.is_leaving]
        return self.matching.queue.count_without_time(TimeOffered(max(left_s, default=0.0), self._fresh_s))

    def infos(self, now_s: float) -> list[Any]:
        return [manager.info(now_s) for manager in self.managers.values()]
