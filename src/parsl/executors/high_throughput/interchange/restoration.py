"""What a replacement interchange must find out before it may dispatch the tasks that the driver offers.

The driver offers every task that has not ended. The managers that were connected to the lost interchange hold
some of these. Offered tasks are dispatched once all of those managers have registered or are given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parsl.executors.high_throughput.wire.protocol import Task


class Restoration:
    """Offered tasks, and the managers that are awaited. No clock in here."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        self._expected = {name.encode(): block for name, block in expected.items()}
        #: Offered tasks that no manager has claimed. A manager may still have them, so they wait.
        self._offered: dict[int, Task] = {}
        #: Whether the driver has offered everything.
        self.is_complete = False
        #: Managers whose claims count, and those that have made their claims.
        self._may_claim = frozenset(self._expected)
        self._has_claimed: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Restoration offered={len(self._offered)} expected={len(self._expected)}>"

    @property
    def is_over(self) -> bool:
        """Whether everything has been offered, and no manager is awaited."""
        return self.is_complete and not self._expected

    def offer(self, tasks: Iterable[Task]) -> None:
        """Take tasks that have not ended according to the driver."""
        self._offered.update((task.id, task) for task in tasks)

    def claim(self, manager: bytes, held: Iterable[int]) -> tuple[list[Task], list[int]]:
        """Return the offered tasks that a manager holds, and the ids of the others, which it must drop."""
        claimed: list[Task] = []
        unknown: list[int] = []
        counts = manager in self._may_claim and manager not in self._has_claimed
        for task_id in held:
            task = self._offered.pop(task_id, None) if counts else None
            if task is None:
                unknown.append(task_id)
            else:
                claimed.append(task)
        self._has_claimed.add(manager)
        self._expected.pop(manager, None)
        return claimed, unknown

    def drop(self, task_id: int) -> bool:
        """Forget a cancelled task, and return whether it was waiting here."""
        return self._offered.pop(task_id, None) is not None

    def give_up(self, block: str | None = None) -> list[tuple[bytes, str]]:
        """Stop waiting for the managers of a block, or of all; return their names and blocks."""
        missing = [(name, of) for name, of in self._expected.items() if block is None or of == block]
        for name, _ in missing:
            del self._expected[name]
        return missing

    def rest(self) -> list[Task]:
        """Return the tasks that no manager holds, in the order of the offers."""
        return list(self._offered.values())
