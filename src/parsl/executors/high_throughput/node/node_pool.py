"""Which of a block's nodes are free, and which task has which others."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


class NodePool:
    """Hands out each node to one task at a time, and takes it back once. Owned by the manager's loop.

    Args:
        nodes: The names of the nodes, in the order in which to hand them out.

    Raises:
        ValueError: A name stands there twice.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        if len(set(nodes)) != len(nodes):
            raise ValueError(f"the nodes of a block are not all different: {list(nodes)}")
        self._nodes = tuple(nodes)
        #: Places in the list, a heap: neighbours in the list are neighbours in the machine, mostly.
        self._free = list(range(len(nodes)))
        self._taken: dict[int, tuple[int, ...]] = {}

    def __repr__(self) -> str:
        return f"<NodePool nodes={len(self._nodes)} free={len(self._free)} tasks={len(self._taken)}>"

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def free(self) -> int:
        """How many nodes no task has."""
        return len(self._free)

    def of(self, task_id: int) -> tuple[str, ...]:
        """The nodes that a task has; none if it has none."""
        return tuple(self._nodes[at] for at in self._taken.get(task_id, ()))

    def take(self, task_id: int, count: int) -> tuple[str, ...] | None:
        """Give nodes to a task; those that it has already, if it has some.

        Returns: their names, or None when not so many are free.
        """
        if task_id in self._taken:
            return self.of(task_id)
        if count < 1 or count > len(self._free):
            return None
        self._taken[task_id] = tuple(heapq.heappop(self._free) for _ in range(count))
        return self.of(task_id)

    def give_back(self, task_id: int) -> bool:
        """Take a task's nodes back. Returns: whether it had any."""
        places = self._taken.pop(task_id, ())
        for place in places:
            heapq.heappush(self._free, place)
        return bool(places)

    def validate(self) -> None:
        """Raises: AssertionError when a node is lost, or has two tasks."""
        places = [*self._free, *(place for taken in self._taken.values() for place in taken)]
        assert sorted(places) == list(range(len(self._nodes))), f"{self!r} has {sorted(places)}"
