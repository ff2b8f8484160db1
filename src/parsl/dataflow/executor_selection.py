"""How a task gets one of several executors: by a user's function, or by load (:func:`least_loaded`)."""

from __future__ import annotations

import threading
from collections import defaultdict
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.executors.base import ParslExecutor

    ExecutorSelector = Callable[[TaskRecord, Sequence["Candidate"]], str]


class Candidate:
    """An executor that may run a task.

    Args:
        executor: The executor.
        unfinished: How many of the run's tasks it was selected for that have not ended, including those that
            still wait for other tasks.
    """

    __slots__ = ("executor", "label", "unfinished")

    def __init__(self, executor: ParslExecutor, unfinished: int) -> None:
        self.executor = executor
        self.label = executor.label
        self.unfinished = unfinished

    @property
    def slots(self) -> int | None:
        """How many tasks the executor can run at once at this moment; None if it does not know."""
        return self.executor.current_slots()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label} unfinished={self.unfinished}>"


def least_loaded(task: TaskRecord, candidates: Sequence[Candidate]) -> str:
    """Select the executor with the fewest unfinished tasks for each slot; for ``Config(executor_selector=)``.

    An executor without slots, because its blocks wait in a queue, counts as one with a single slot: it gets
    some tasks, so that it requests blocks.

    Args:
        task: The task.
        candidates: The executors that its app allows.

    Returns:
        The label of one of them.
    """
    return min(candidates, key=_load).label


def _load(candidate: Candidate) -> float:
    return (candidate.unfinished + 1) / (candidate.slots or 1)


class ExecutorSelection:
    """Applies a selector, and counts the unfinished tasks of each executor. Any thread may call it."""

    def __init__(self, selector: ExecutorSelector) -> None:
        self._selector = selector
        self._lock = threading.Lock()
        self._unfinished: defaultdict[str, int] = defaultdict(int)

    def select(self, task: TaskRecord, executors: Sequence[ParslExecutor]) -> str:
        """Return the label of the executor for a task.

        Raises:
            ValueError: The selector has returned something else.
        """
        candidates = [Candidate(executor, self._unfinished[executor.label]) for executor in executors]
        selected = self._selector(task, candidates)
        labels = [candidate.label for candidate in candidates]
        if selected not in labels:
            name = getattr(self._selector, "__name__", repr(self._selector))
            raise ValueError(
                f"The executor_selector {name} has returned {selected!r} for app {task.func_name}; expected "
                f"the label of one of the candidates: {', '.join(map(repr, labels))}"
            )
        return selected

    def follow(self, label: str, future: Future[Any]) -> None:
        """Count a task as one of an executor's until its future is done."""
        with self._lock:
            self._unfinished[label] += 1
        future.add_done_callback(partial(self._ended, label))

    def _ended(self, label: str, _: Future[Any]) -> None:
        with self._lock:
            self._unfinished[label] -= 1

    def __repr__(self) -> str:
        counts = ", ".join(f"{label}: {count}" for label, count in self._unfinished.items())
        return f"<{type(self).__name__} {counts or 'no tasks'}>"
