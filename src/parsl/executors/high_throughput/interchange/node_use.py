"""The nodes of one manager that its tasks use, as the interchange counts them.

A task has nodes of its own, or shares one. A shared node is opened by the first of its tasks, whose number it
has, and closed when the last one has ended. The manager chooses which node of the block that is. It learns
of each end before the interchange does, so that it never uses more nodes than are counted here.
"""

from __future__ import annotations

from collections.abc import Iterable

from parsl.executors.high_throughput.wire.protocol import Task


class NodeUse:
    """How many nodes the tasks of a manager use. Owned by the interchange's loop."""

    def __init__(self) -> None:
        #: How many nodes of its own each task has.
        self._own: dict[int, int] = {}
        #: The tasks on each shared node, with their ranks; and the shared node of each task.
        self._shared: dict[int, dict[int, int]] = {}
        self._place: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<NodeUse nodes={self.count} tasks={len(self._own) + len(self._place)}>"

    @property
    def count(self) -> int:
        """How many nodes are in use."""
        return sum(self._own.values()) + len(self._shared)

    def ranks(self) -> dict[int, int]:
        """Return how many ranks run on each shared node."""
        return {node: sum(tasks.values()) for node, tasks in self._shared.items()}

    def add(self, task: Task) -> None:
        """Count a task, which has the node that was chosen for it, or as many of its own as it requests."""
        if task.resources is None or task.resources.shared_node is None:
            self._own[task.id] = task.num_nodes
            return
        node = self._place[task.id] = task.resources.shared_node
        self._shared.setdefault(node, {})[task.id] = task.resources.num_ranks

    def remove(self, ids: Iterable[int]) -> None:
        """Forget tasks that are not there any more."""
        for task_id in ids:
            self._own.pop(task_id, None)
            if (node := self._place.pop(task_id, None)) is not None:
                del self._shared[node][task_id]
                if not self._shared[node]:
                    del self._shared[node]

    def update(self, other: NodeUse) -> None:
        """Count the tasks of the same manager's earlier registration, too."""
        self._own.update(other._own)
        self._place.update(other._place)
        for node, tasks in other._shared.items():
            self._shared.setdefault(node, {}).update(tasks)
