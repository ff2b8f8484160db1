"""What an interchange that takes a lost one's place must find out before it may give out what it was offered.

The driver offers every task that has not ended; the managers that were connected hold some of them. A task is
given out when all of those managers have said what they hold, or have been given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parsl.executors.high_throughput.wire.protocol import Task


class Restoration:
    """Offered tasks and the managers that are waited for. No clock in here.

    Args:
        expected: the block of each manager that was connected, by its name.
    """

    def __init__(self, expected: Mapping[str, str]) -> None:
        self._expected = {name.encode(): block for name, block in expected.items()}
        #: What was offered and nobody has claimed. It may still be given out twice, so it waits.
        self._offered: dict[int, Task] = {}
        self._is_complete = False
        #: Managers whose claims count, and those that have made them.
        self._may_claim = frozenset(self._expected)
        self._has_claimed: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Restoration offered={len(self._offered)} expected={len(self._expected)}>"

    @property
    def is_over(self) -> bool:
        """Whether nobody is waited for any more."""
        return self._is_complete and not self._expected

    @property
    def is_complete(self) -> bool:
        """Whether the driver has offered everything."""
        return self._is_complete

    def offer(self, tasks: Iterable[Task]) -> None:
        """These have not ended, as the driver says."""
        self._offered.update((task.id, task) for task in tasks)

    def complete(self) -> None:
        """The driver has offered everything."""
        self._is_complete = True

    def claim(self, name: bytes, held: Iterable[int]) -> tuple[list[Task], list[int]]:
        """A manager says what it holds.

        Args:
            name: the manager.
            held: the numbers of its tasks.

        Returns: which of them it was waited for with; and those of which the driver knows nothing any more,
            or which were never this manager's.
        """
        claimed: list[Task] = []
        strange: list[int] = []
        is_believed = name in self._may_claim and name not in self._has_claimed
        for task_id in held:
            task = self._offered.pop(task_id, None) if is_believed else None
            if task is None:
                strange.append(task_id)
            else:
                claimed.append(task)
        self._has_claimed.add(name)
        self._expected.pop(name, None)
        return claimed, strange

    def drop(self, task_id: int) -> bool:
        """A task is cancelled. Returns: whether it waited here."""
        return self._offered.pop(task_id, None) is not None

    def give_up(self, block: str | None = None) -> list[tuple[bytes, str]]:
        """Wait no longer for the managers of a block, or for any.

        Returns: their names and blocks.
        """
        missing = [(name, of) for name, of in self._expected.items() if block is None or of == block]
        for name, _ in missing:
            del self._expected[name]
        return missing

    def rest(self) -> list[Task]:
        """What nobody holds, in the order of the offers; asked once it is over."""
        rest, self._offered = list(self._offered.values()), {}
        return rest
