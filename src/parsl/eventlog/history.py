"""What a reader knows of a run: the records of its event log, folded into tables.

A million tasks take about 100 MB, because their facts are in arrays. Moments are on the driver's clock and in
their true order: where a worker reports only how long it ran, the start is computed back from the end.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from parsl.eventlog import records
from parsl.eventlog.file import EventReader
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, FINAL_STATES, States

#: In a column of moments or seconds: not known, or not yet.
UNKNOWN = -1.0

_STATES = max(States) + 1
_IS_FINAL = [number in FINAL_STATES for number in range(_STATES)]
_RUNNING = int(States.running)
_LAUNCHED = int(States.launched)


class TaskColumns:
    """The tasks of a run by number: one array for each fact.

    Attributes:
        state: Numbers of :class:`parsl.dataflow.states.States`; 255 for a number without a task yet.
        app, executor: Numbers; see :class:`RunHistory`.
        attempt: The number of the last attempt, from 0 on.
        invoked_s, launched_s, started_s, returned_s: Moments, seconds since the epoch; -1 if not (yet) known.
        cpu_s: Processor time of the last attempt in seconds; -1 if not known.
        peak_memory: In bytes; 0 if not known.
        manager, worker: Where the last attempt ran; -1 if not known.
    """

    NO_TASK = 255

    def __init__(self) -> None:
        self.state = array("B")
        self.app = array("I")
        self.executor = array("H")
        self.attempt = array("H")
        self.invoked_s = array("d")
        self.launched_s = array("d")
        self.started_s = array("d")
        self.returned_s = array("d")
        self.cpu_s = array("d")
        self.peak_memory = array("Q")
        self.manager = array("i")
        self.worker = array("h")

    def __len__(self) -> int:
        return len(self.state)

    def extend_to(self, number: int) -> None:
        """Make room for the tasks below a number."""
        more = number - len(self.state)
        if more <= 0:
            return
        self.state.frombytes(bytes([self.NO_TASK]) * more)
        for zeros in (self.app, self.executor, self.attempt, self.peak_memory):
            zeros.frombytes(bytes(zeros.itemsize * more))
        for moments in (self.invoked_s, self.launched_s, self.started_s, self.returned_s, self.cpu_s):
            moments.extend(array("d", [UNKNOWN]) * more)
        for numbers in (self.manager, self.worker):
            numbers.extend(array(numbers.typecode, [-1]) * more)


class TaskView(NamedTuple):
    """One task, for display. Moments are seconds since the epoch, None if not (yet) known."""

    id: int
    app: str
    state: str
    executor: str
    attempt: int
    invoked_s: float
    launched_s: float | None
    started_s: float | None
    returned_s: float | None
    cpu_s: float | None
    peak_memory: int | None
    host: str
    block: str
    manager: str
    worker: int | None
    depends: tuple[int, ...]
    extra: records.TaskExtra


class ManagerView:
    """A manager: its registration, and its end if it has ended."""

    __slots__ = ("facts", "gone_s", "reason")

    def __init__(self, facts: records.ManagerJoined) -> None:
        self.facts = facts
        self.gone_s: float | None = None
        self.reason = ""


class AppCounts:
    """The tasks of one app by state: ``by_state[States.exec_done]``."""

    __slots__ = ("by_state",)

    def __init__(self) -> None:
        self.by_state = [0] * _STATES

    @property
    def done(self) -> int:
        """How many tasks have a result."""
        return self.by_state[States.exec_done] + self.by_state[States.memo_done]

    @property
    def failed(self) -> int:
        """How many tasks have failed."""
        return sum(self.by_state[state] for state in FINAL_FAILURE_STATES)

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.by_state)


class RunHistory:
    """The state of a run after the records that were applied so far. Owned by one thread.

    Attributes:
        run: The first record; None if it is damaged or not there yet.
        end: The last record; None while the run is in progress, and if the driver was lost.
        apps: The names of apps; the place is the app's number.
        counts: The counts of each app, at the same places.
        executors: The executors; the place is the executor's number.
        tasks: All tasks.
        depends: The dependencies of the tasks that have any.
        extras: What few tasks have.
        failures: All failed attempts, in order.
        managers: By executor and number.
        blocks: By executor and block: the changes of the block in order, the present state last.
        nodes: The changes of nodes' standing, in order.
        samples: Resource samples by task; the latest last.
        gaps: Where records are missing.
        summary: The latest totals in the log.
    """

    def __init__(self) -> None:
        self.run: records.RunBegan | None = None
        self.end: records.RunEnded | None = None
        self.apps: list[str] = []
        self.counts: list[AppCounts] = []
        self.executors: list[records.ExecutorFacts] = []
        self.tasks = TaskColumns()
        self.depends: dict[int, tuple[int, ...]] = {}
        self.extras: dict[int, records.TaskExtra] = {}
        self.failures: list[records.AttemptFailed] = []
        self.managers: dict[tuple[int, int], ManagerView] = {}
        self.blocks: dict[tuple[int, str], list[records.BlockChanged]] = {}
        self.nodes: list[records.NodeChanged] = []
        self.samples: dict[int, list[records.ResourceSample]] = {}
        self.gaps: list[records.Gap] = []
        self.summary: records.Summary | None = None
        self._appliers: dict[type, Callable[[Any], None]] = {
            records.RunBegan: self._begin,
            records.Executors: lambda record: record.add_to(self.executors),
            records.Apps: self._add_apps,
            records.Tasks: self._take_rows,
            records.TasksStarted: self._take_starts,
            records.AttemptFailed: self.failures.append,
            records.ManagerJoined: self._add_manager,
            records.ManagerGone: self._end_manager,
            records.NodeChanged: self.nodes.append,
            records.BlockChanged: self._change_block,
            records.Samples: self._take_samples,
            records.Summary: self._take_summary,
            records.Gap: self.gaps.append,
            records.RunEnded: self._end,
        }

    def __repr__(self) -> str:
        run = "no run" if self.run is None else self.run.run_id
        return f"<{type(self).__name__} {run}, {len(self.tasks)} tasks>"

    def apply(self, record: records.Record) -> None:
        """Take in the next record."""
        self._appliers[type(record)](record)

    @property
    def last_s(self) -> float:
        """The latest moment among the totals (seconds since the epoch); 0 if there are none yet."""
        if self.end is not None:
            return self.end.time_s
        moments = [self.run.began_s] if self.run is not None else [0.0]
        if self.summary is not None:
            moments.append(self.summary.time_s)
        return max(moments)

    def state_counts(self) -> dict[States, int]:
        """Return the number of tasks in each state."""
        return {state: sum(app.by_state[state] for app in self.counts) for state in States}

    def task(self, number: int) -> TaskView:
        """Return one task.

        Raises:
            KeyError: The run has no such task (yet).
        """
        tasks = self.tasks
        if not 0 <= number < len(tasks) or tasks.state[number] == tasks.NO_TASK:
            raise KeyError(number)
        executor = tasks.executor[number]
        manager = self.managers.get((executor, tasks.manager[number]))
        facts = None if manager is None else manager.facts
        cpu_s = tasks.cpu_s[number]
        return TaskView(
            number,
            self.app_name(tasks.app[number]),
            States(tasks.state[number]).name,
            self.executors[executor].label if executor < len(self.executors) else "",
            tasks.attempt[number],
            tasks.invoked_s[number],
            _known(tasks.launched_s[number]),
            _known(tasks.started_s[number]),
            _known(tasks.returned_s[number]),
            None if cpu_s < 0 else cpu_s,
            tasks.peak_memory[number] or None,
            "" if facts is None else facts.host,
            "" if facts is None else facts.block,
            "" if facts is None else facts.name,
            None if tasks.worker[number] < 0 else tasks.worker[number],
            self.depends.get(number, ()),
            self.extras.get(number, _NO_EXTRA),
        )

    def app_name(self, number: int) -> str:
        """Return the name of an app; after damage it may be unknown."""
        return self.apps[number] if number < len(self.apps) else records.unknown_app(number)

    def known_tasks(self) -> int:
        """Return how many tasks have a record."""
        return len(self.tasks) - bytes(self.tasks.state).count(self.tasks.NO_TASK)

    def _begin(self, record: records.RunBegan) -> None:
        self.run = record

    def _end(self, record: records.RunEnded) -> None:
        self.end = record
        self.end_managers(record.time_s, "the run has ended")

    def end_managers(self, moment_s: float, reason: str) -> None:
        """Note that no manager is connected any more.

        Args:
            moment_s: Since when (seconds since the epoch).
            reason: Why, for people.
        """
        for manager in self.managers.values():
            if manager.gone_s is None:
                manager.gone_s, manager.reason = moment_s, reason

    def _add_apps(self, record: records.Apps) -> None:
        record.add_to(self.apps)
        self._count_for(len(self.apps) - 1)

    def _count_for(self, app: int) -> AppCounts:
        while len(self.counts) <= app:
            self.counts.append(AppCounts())
        return self.counts[app]

    def _take_rows(self, record: records.Tasks) -> None:
        tasks, counts = self.tasks, self.counts
        states = tasks.state
        for row in record.rows:
            number, app, state = row.id, row.app, row.state
            if number >= len(states):
                tasks.extend_to(max(number + 1, len(states) * 5 // 4))
            if app >= len(counts):
                self._count_for(app)
            before = states[number]
            if before != 255:
                if _IS_FINAL[before]:
                    continue
                counts[app].by_state[before] -= 1
            states[number] = state
            counts[app].by_state[state] += 1
            tasks.app[number] = app
            tasks.executor[number] = row.executor
            tasks.attempt[number] = row.attempt
            tasks.invoked_s[number] = row.invoked_s
            tasks.launched_s[number] = UNKNOWN if row.launched_s is None else row.launched_s
            if row.depends:
                self.depends[number] = row.depends
            if (extra := row.whole_extra()) is not None:
                self.extras[number] = extra
            if row.returned_s is not None:
                self._take_end(row)
            elif before == _RUNNING and state == _LAUNCHED:
                tasks.started_s[number] = UNKNOWN  # another attempt
                tasks.manager[number] = tasks.worker[number] = -1

    def _take_end(self, row: records.TaskRow) -> None:
        tasks, number = self.tasks, row.id
        returned_s = row.returned_s
        assert returned_s is not None
        tasks.returned_s[number] = returned_s
        run_s = row.run_s
        if run_s >= 0:
            started_s, launched_s = returned_s - run_s, row.launched_s
            tasks.started_s[number] = (
                launched_s if launched_s is not None and launched_s > started_s else started_s
            )
        tasks.cpu_s[number] = row.cpu_s
        if row.peak_memory > 0:
            tasks.peak_memory[number] = row.peak_memory
        tasks.manager[number] = row.manager
        tasks.worker[number] = row.worker

    def _take_starts(self, record: records.TasksStarted) -> None:
        tasks = self.tasks
        for row in record.rows:
            number = row.task
            if number >= len(tasks) or tasks.attempt[number] != row.attempt:
                continue
            state = tasks.state[number]
            # A row that was made after the report has the state, but not the start.
            if state != _LAUNCHED and (state != _RUNNING or tasks.started_s[number] >= 0):
                continue
            by_state = self.counts[tasks.app[number]].by_state
            by_state[state] -= 1
            by_state[_RUNNING] += 1
            tasks.state[number] = _RUNNING
            tasks.started_s[number] = max(row.started_s, tasks.launched_s[number])
            tasks.manager[number] = row.manager
            tasks.worker[number] = row.worker

    def _add_manager(self, record: records.ManagerJoined) -> None:
        self.managers[record.executor, record.number] = ManagerView(record)

    def _end_manager(self, record: records.ManagerGone) -> None:
        manager = self.managers.get((record.executor, record.number))
        if manager is not None:
            manager.gone_s = record.time_s
            manager.reason = record.reason

    def _change_block(self, record: records.BlockChanged) -> None:
        self.blocks.setdefault((record.executor, record.block), []).append(record)

    def _take_samples(self, record: records.Samples) -> None:
        for row in record.rows:
            self.samples.setdefault(row.task, []).append(row)

    def _take_summary(self, record: records.Summary) -> None:
        if self.summary is None or record.time_s >= self.summary.time_s:
            self.summary = record


_NO_EXTRA = records.TaskExtra()


def _known(moment_s: float) -> float | None:
    return None if moment_s < 0 else moment_s


class Follower:
    """Follows the event log of a run: what has happened so far, and what happens while it is watched.

    Args:
        path: The run directory, or the file of the log.

    Attributes:
        history: The state of the run, as far as it has been read.
        reader: Where the reader is in the file.
        outline: What was first and last in the file at the beginning.

    Raises:
        EventLogError: There is no event log.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.reader = EventReader(path)
        self.history = RunHistory()
        self.outline = self.reader.outline()
        self.history.summary = self.outline.summary

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *args: object) -> None:
        self.reader.close()

    def advance(self, limit_bytes: int | None = None) -> bool:
        """Take in what is new, at most about ``limit_bytes``. Returns whether the state has changed."""
        return sum(1 for _ in self.new_records(limit_bytes)) > 0

    def new_records(self, limit_bytes: int | None = None) -> Iterator[records.Record]:
        """Take in what is new, and yield it record by record."""
        for record in self.reader.read(limit_bytes):
            self.history.apply(record)
            yield record
        if self.history.end is None and self.is_running() is False:
            self.history.end_managers(os.path.getmtime(self.reader.path), "the driver was lost")

    @property
    def is_complete(self) -> bool:
        """Whether everything that was in the file at the last look has been read."""
        return self.reader.offset >= self.reader.size

    def is_running(self) -> bool | None:
        """Whether the driver runs; None if it is on another host, so that only the log can show it."""
        return False if self.history.end is not None else driver_lives(self.history.run)


def driver_lives(run: records.RunBegan | None) -> bool | None:
    """Return whether the driver of a run is alive; None if this host cannot determine that."""
    if run is None or run.host != os.uname().nodename:
        return None
    from parsl.common.processes import started_at

    return started_at(run.pid) == run.process_started


def read_history(path: str | os.PathLike[str]) -> RunHistory:
    """Read the event log of a run, whole.

    Args:
        path: The run directory, or the file of the log.

    Raises:
        EventLogError: There is no event log, or it cannot be read.
    """
    with Follower(path) as follower:
        follower.advance()
        return follower.history
