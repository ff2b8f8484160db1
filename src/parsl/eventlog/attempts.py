"""The attempts of a run, one after the other as they end, from the records of its event log.

The memory that this takes does not depend on the number of tasks that have ended: 16 bytes are kept of a task
that waits, and more of one that runs or has dependencies.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from parsl.eventlog import TRIED_AGAIN, records
from parsl.vocabulary.task_states import FINAL_STATES, States

_FINAL = {int(state): state.name for state in FINAL_STATES}


class Attempt(NamedTuple):
    """One execution of a task, or the end of a task that was not executed.

    Moments are seconds since the epoch; ``started_s`` is None if it never ran, or if its start is unknown.
    """

    task: int
    #: From 0 on.
    number: int
    app: str
    executor: str
    host: str
    block: str
    manager: str
    #: -1 if not known.
    worker: int
    launched_s: float | None
    started_s: float | None
    ended_s: float
    #: The name of the task's state, "running", or "tried again".
    state: str
    #: In seconds, -1 if not known.
    cpu_s: float
    #: In bytes, -1 if not known.
    peak_memory: int
    depends: tuple[int, ...]
    #: The class of the error, and the beginning of its text.
    error: str
    message: str

    @property
    def has_failed(self) -> bool:
        """Whether it has ended with an error."""
        return bool(self.error) or self.state in ("failed", "dep_fail", TRIED_AGAIN)


class Unfinished:
    """The tasks that have not ended: what is needed if they fail or run, in arrays by their numbers."""

    _NO_TASK = -1

    def __init__(self) -> None:
        self._app = array("i")
        self._executor = array("H")
        self._attempt = array("H")
        self._launched_s = array("d")
        self._depends: dict[int, tuple[int, ...]] = {}

    def put(self, row: records.TaskRow) -> None:
        """Keep the present state of a task."""
        number = row.id
        missing = number + 1 - len(self._app)
        if missing > 0:
            more = missing + len(self._app) // 4
            self._app.extend(array("i", [self._NO_TASK]) * more)
            for zeros in (self._executor, self._attempt, self._launched_s):
                zeros.frombytes(bytes(zeros.itemsize * more))
        self._app[number] = row.app
        self._executor[number] = row.executor
        self._attempt[number] = row.attempt
        self._launched_s[number] = row.launched_s or 0.0
        if row.depends:
            self._depends[number] = row.depends

    def remove(self, number: int) -> None:
        """Forget a task, which has ended."""
        if number < len(self._app):
            self._app[number] = self._NO_TASK
            self._depends.pop(number, None)

    def get(self, number: int) -> records.TaskRow | None:
        """Return what is kept of a task; None if it has ended or is not known."""
        if not 0 <= number < len(self._app) or self._app[number] == self._NO_TASK:
            return None
        return records.TaskRow(
            number, self._app[number], self._executor[number], int(States.launched), self._attempt[number],
            0.0, self._launched_s[number] or None, self._depends.get(number, ()),
        )  # fmt: skip


class Attempts:
    """Finds the attempts in the records. Owned by one thread.

    Attributes:
        run: The first record; None if it is damaged or has not been read.
        apps: The names of apps by number.
        last_s: The latest moment (seconds since the epoch).
    """

    def __init__(self) -> None:
        self.run: records.RunBegan | None = None
        self.apps: list[str] = []
        self.last_s = 0.0
        self._executors: list[records.ExecutorFacts] = []
        self._managers: dict[tuple[int, int], records.ManagerJoined] = {}
        self._unfinished = Unfinished()
        self._started: dict[int, records.TaskStarted] = {}
        #: The failures of tasks whose last row has not been read.
        self._failures: dict[int, records.AttemptFailed] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._started)} tasks run>"

    def take(self, record: records.Record) -> list[Attempt]:
        """Take in the next record; return the attempts that it ends."""
        if isinstance(record, records.Tasks):
            found = [self._take_row(row) for row in record.rows]
            return [attempt for attempt in found if attempt is not None]
        if isinstance(record, records.AttemptFailed):
            return self._take_failure(record)
        if isinstance(record, records.TasksStarted):
            self._started.update((row.task, row) for row in record.rows)
        elif isinstance(record, records.RunBegan):
            self.run = record
        elif isinstance(record, records.Apps):
            record.add_to(self.apps)
        elif isinstance(record, records.Executors):
            record.add_to(self._executors)
        elif isinstance(record, records.ManagerJoined):
            self._managers[record.executor, record.number] = record
        self.last_s = max(self.last_s, getattr(record, "time_s", 0.0))
        return []

    def _take_row(self, row: records.TaskRow) -> Attempt | None:
        state = _FINAL.get(row.state)
        if state is None:
            self._unfinished.put(row)
            return None
        self._unfinished.remove(row.id)
        self._started.pop(row.id, None)
        failure = self._failures.pop(row.id, None)
        ended_s = row.invoked_s if row.returned_s is None else row.returned_s
        self.last_s = max(self.last_s, ended_s)
        return self._attempt(
            row, row.manager, row.worker, _start(row, row.run_s, ended_s), ended_s, state, failure
        )

    def _take_failure(self, failure: records.AttemptFailed) -> list[Attempt]:
        self.last_s = max(self.last_s, failure.time_s)
        if failure.outcome != TRIED_AGAIN:
            self._failures[failure.task] = failure
            return []
        row = self._unfinished.get(failure.task)
        if row is None:
            row = records.TaskRow(
                failure.task, -1, failure.executor, int(States.launched), failure.attempt, 0.0, None
            )
        ended_s = failure.time_s
        started_s = None if failure.run_s < 0 else ended_s - failure.run_s
        attempt = self._attempt(
            row, failure.manager, failure.worker, started_s, ended_s, TRIED_AGAIN, failure
        )
        return [
            attempt._replace(
                number=failure.attempt,
                launched_s=failure.launched_s,
                cpu_s=failure.cpu_s,
                peak_memory=failure.peak_memory,
            )
        ]

    def _attempt(
        self,
        row: records.TaskRow,
        manager: int,
        worker: int,
        started_s: float | None,
        ended_s: float,
        state: str,
        failure: records.AttemptFailed | None = None,
    ) -> Attempt:
        facts = self._managers.get((row.executor, manager))
        app = self.apps[row.app] if 0 <= row.app < len(self.apps) else records.unknown_app(row.app)
        executor = self.executor_name(row.executor)
        error, message, host = (
            ("", "", "") if failure is None else (failure.error, failure.message, failure.host)
        )
        place = (host, "", "") if facts is None else (facts.host, facts.block, facts.name)
        return Attempt(
            row.id, row.attempt, app, executor, *place, worker, row.launched_s, started_s, ended_s, state,
            row.cpu_s, row.peak_memory, row.depends, error, message,
        )  # fmt: skip

    def executor_name(self, number: int) -> str:
        """Return the label of an executor; after damage it may be unknown."""
        return records.executor_label(self._executors, number)

    def running(self) -> list[Attempt]:
        """Return the attempts that are known to run, up to the latest moment."""
        found = []
        for task, start in self._started.items():
            row = self._unfinished.get(task)
            if row is not None and row.attempt == start.attempt:
                found.append(
                    self._attempt(row, start.manager, start.worker, start.started_s, self.last_s, "running")
                )
        return found


def _start(row: records.TaskRow, run_s: float, ended_s: float) -> float | None:
    """Return when an attempt has started: not before its launch."""
    if run_s < 0:
        return None
    return ended_s - run_s if row.launched_s is None else max(row.launched_s, ended_s - run_s)
