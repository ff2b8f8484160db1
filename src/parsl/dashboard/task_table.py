"""The tasks of a run as NumPy arrays, so that a view of a million tasks takes milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parsl.eventlog.history import RunHistory, TaskColumns
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, FINAL_STATES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_IS_FINAL = np.array([number in FINAL_STATES for number in range(256)])
_IS_FAILED = np.array([number in FINAL_FAILURE_STATES for number in range(256)])


class TaskTable:
    """A copy of the tasks that are known at a moment, in the order of their numbers.

    Attributes:
        id, state, app, executor, attempt, manager, worker: Numbers, as in the history.
        invoked_s, launched_s, started_s, returned_s: Moments (seconds since the epoch); NaN if not known.
        cpu_s: Processor time (s); NaN if not known.
        peak_memory: In bytes; 0 if not known.
    """

    def __init__(self, history: RunHistory) -> None:
        tasks = history.tasks
        state = np.array(tasks.state, dtype=np.uint8)
        known = np.flatnonzero(state != TaskColumns.NO_TASK)

        def column(name: str) -> NDArray[Any]:
            return np.array(getattr(tasks, name))[known]

        self.id: Ints = known
        self.state = state[known]
        self.app, self.executor, self.attempt = column("app"), column("executor"), column("attempt")
        self.manager, self.worker = column("manager"), column("worker")
        self.peak_memory = column("peak_memory")
        self.invoked_s, self.launched_s = _moments(column("invoked_s")), _moments(column("launched_s"))
        self.started_s, self.returned_s = _moments(column("started_s")), _moments(column("returned_s"))
        self.cpu_s = _moments(column("cpu_s"))

    def __len__(self) -> int:
        return len(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} tasks>"

    @property
    def is_final(self) -> Bools:
        """Which tasks have ended."""
        ended: Bools = _IS_FINAL[self.state]
        return ended

    @property
    def is_failed(self) -> Bools:
        """Which tasks have failed."""
        failed: Bools = _IS_FAILED[self.state]
        return failed

    def end_s(self, now_s: float) -> Floats:
        """Return when each task ended; for those that run, the present moment; NaN for the others."""
        unknown = np.isnan(self.returned_s) & ~np.isnan(self.started_s) & ~self.is_final
        return np.where(unknown, now_s, self.returned_s)

    def last_s(self) -> float:
        """Return the latest known moment (seconds since the epoch); 0 without tasks."""
        if not len(self):
            return 0.0
        columns = (self.invoked_s, self.launched_s, self.started_s, self.returned_s)
        return max((float(np.nanmax(c)) for c in columns if not np.isnan(c).all()), default=0.0)


def _moments(values: Floats) -> Floats:
    values[values < 0] = np.nan
    return values
