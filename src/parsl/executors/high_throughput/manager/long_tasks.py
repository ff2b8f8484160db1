"""Which running tasks a manager reports, because they take long. No clock in here."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire.protocol import Running
from parsl.vocabulary.run_observer import REPORTED_AFTER_S

_NEVER = float("inf")


class LongTasks:
    """Decides when the manager reports that tasks are running. Owned by the manager's loop.

    While all tasks are short, it only looks at the workers once in a while: no task is noted.
    """

    def __init__(self) -> None:
        #: When to look for tasks to report, on the clock of the caller, in seconds; infinity if none can be.
        self.due_s = _NEVER
        #: Tasks that were reported and have not ended, as of the last look.
        self._reported: set[int] = set()

    def __repr__(self) -> str:
        return f"<LongTasks reported={len(self._reported)} due_s={self.due_s:g}>"

    def tasks_assigned(self, now_s: float) -> None:
        """Workers have received tasks."""
        if self.due_s == _NEVER:
            self.due_s = now_s + REPORTED_AFTER_S

    def report_again(self) -> None:
        """Report all at once: earlier reports may be lost."""
        self._reported.clear()
        self.due_s = 0.0

    def take(self, workers: Sequence[Worker], now_s: float) -> dict[int, Running]:
        """Return the tasks to report now, by their numbers."""
        running = {
            worker.given[0].id: Running(now_s - worker.started, worker.rank)
            for worker in workers
            if worker.given
        }
        new = {task_id: task for task_id, task in running.items() if task_id not in self._reported}
        found = {task_id: task for task_id, task in new.items() if task.ran_s >= REPORTED_AFTER_S}
        self._reported.intersection_update(running)
        self._reported.update(found)
        self.due_s = now_s + REPORTED_AFTER_S if len(found) < len(new) else _NEVER
        return found
