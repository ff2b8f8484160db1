"""The rows that the records of a run's event log become: a pure mapping, without file, database or clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parsl.eventlog import records
from parsl.monitoring.database import schema
from parsl.monitoring.database.moments import MomentText, microseconds
from parsl.monitoring.database.names import RunNames
from parsl.monitoring.database.task_rows import Rows, TaskRows
from parsl.vocabulary.job_states import JobState


class RunRows:
    """Collects the rows of one run. Rows of a record that comes before the first one of a run are lost.

    Args:
        resource_interval_s: The interval of resource monitoring in seconds, which rows of the table
            ``resource`` contain; None for no such rows.

    Attributes:
        record_count: How many records have been taken in.
        lost_records: How many records the log lacks, according to itself.
        has_ended: Whether the last record of the run has been taken in.
    """

    def __init__(self, resource_interval_s: float | None = 30.0) -> None:
        self._interval_s = resource_interval_s
        self._text = MomentText()
        self._rows: Rows = {table.name: [] for table in schema.TABLES}
        self._names: RunNames | None = None
        self._tasks: TaskRows | None = None
        self._takers: dict[type, Callable[[Any], None]] = {records.RunBegan: self._begin}
        self._completed_text: str | None = None
        self._counts = (0, 0)
        #: The latest state, job and moment of each block.
        self._blocks: dict[tuple[int, str], tuple[str, str, int]] = {}
        #: The managers that have not gone, in order.
        self._present: dict[tuple[int, int], None] = {}
        self.record_count = self.lost_records = 0
        self.has_ended = False

    def __repr__(self) -> str:
        run = "no run" if self._names is None else self._names.run.run_id
        return f"<{type(self).__name__} {run}, {self.record_count} records>"

    @property
    def run(self) -> records.RunBegan | None:
        """The first record of the run."""
        return None if self._names is None else self._names.run

    @property
    def row_count(self) -> int:
        """How many rows are waiting to be stored."""
        waiting = 0 if self._tasks is None else self._tasks.waiting_count
        return waiting + sum(map(len, self._rows.values()))

    def take(self, record: records.Record) -> None:
        """Take in the next record."""
        self.record_count += 1
        taker = self._takers.get(type(record))
        if taker is not None:
            taker(record)

    def collect(self) -> Rows:
        """Return the rows since the last call, by the name of their table."""
        if self._tasks is not None:
            self._tasks.complete()
            if (self._tasks.failed_count, self._tasks.completed_count) != self._counts:
                self._add_workflow()
        collected = {name: rows[:] for name, rows in self._rows.items() if rows}
        for rows in self._rows.values():
            rows.clear()
        return collected

    def _begin(self, record: records.RunBegan) -> None:
        if self._names is not None:
            return
        self._names = names = RunNames(record)
        self._tasks = tasks = TaskRows(names, self._rows, self._text, self._interval_s)
        self._takers.update({
            records.Executors: names.add_executors,
            records.Apps: names.add_apps,
            records.Tasks: tasks.take,
            records.TasksStarted: tasks.start,
            records.AttemptFailed: tasks.fail,
            records.Samples: tasks.sample,
            records.ManagerJoined: self._join,
            records.ManagerGone: self._leave,
            records.NodeChanged: self._change_node,
            records.BlockChanged: self._change_block,
            records.Gap: self._miss,
            records.RunEnded: self._end,
        })  # fmt: skip
        self._add_workflow()

    def _end(self, record: records.RunEnded) -> None:
        self.has_ended = True
        self._completed_text = self._moment(record.time_s)
        for executor, number in list(self._present):
            self._leave(records.ManagerGone(executor, number, record.time_s, "the run was over"))
        self._add_workflow()

    def _miss(self, record: records.Gap) -> None:
        self.lost_records += record.records

    def _add_workflow(self) -> None:
        assert self._names is not None
        run = self._names.run
        failed, completed = self._counts
        if self._tasks is not None:
            failed, completed = self._counts = (self._tasks.failed_count, self._tasks.completed_count)
        self._add(schema.WORKFLOW, (
            run.run_id, run.workflow_name, run.workflow_version, self._moment(run.began_s),
            self._completed_text, run.host, run.user, run.run_dir, failed, completed,
        ))  # fmt: skip

    def _join(self, record: records.ManagerJoined) -> None:
        assert self._names is not None
        self._names.add_manager(record)
        self._present[record.executor, record.number] = None
        self._add_node(record, record.time_s, is_active=True)
        self._add(schema.MANAGER, (
            self._names.run.run_id, self._names.executor(record.executor), record.name, record.host,
            record.block, record.pid, record.workers, ",".join(record.accelerators),
            self._moment(record.time_s), None, None,
        ))  # fmt: skip

    def _leave(self, record: records.ManagerGone) -> None:
        assert self._names is not None
        facts = self._names.manager(record.executor, record.number)
        if facts is None:
            return
        self._present.pop((record.executor, record.number), None)
        self._add_node(facts, record.time_s, is_active=False)
        self._add(schema.MANAGER, (
            self._names.run.run_id, self._names.executor(facts.executor), facts.name, facts.host, facts.block,
            facts.pid, facts.workers, ",".join(facts.accelerators), self._moment(facts.time_s),
            self._moment(record.time_s), record.reason,
        ))  # fmt: skip

    def _add_node(self, facts: records.ManagerJoined, moment_s: float, *, is_active: bool) -> None:
        assert self._names is not None
        moment = self._moment(moment_s)
        self._add(schema.NODE, (
            self._names.run.run_id, facts.host, facts.name, facts.block, facts.cpu_count, facts.total_memory,
            is_active, facts.workers, facts.python_version, moment, moment,
        ))  # fmt: skip

    def _change_node(self, record: records.NodeChanged) -> None:
        assert self._names is not None
        self._add(schema.NODE_EVENT, (
            self._names.run.run_id, self._names.executor(record.executor), record.host,
            self._moment(record.time_s), record.text,
        ))  # fmt: skip

    def _change_block(self, record: records.BlockChanged) -> None:
        """Store a change of a block: in upstream's table only one of its state or job."""
        assert self._names is not None
        run_id, label = self._names.run.run_id, self._names.executor(record.executor)
        before = self._blocks.get((record.executor, record.block), ("", "", 0))
        moment = max(microseconds(record.time_s), before[2] + 1)
        self._blocks[record.executor, record.block] = (record.state, record.job, moment)
        text = self._text(moment)
        is_submitted = bool(record.job) or record.state != JobState.PENDING.name
        if is_submitted and before[:2] != (record.state, record.job):
            self._add(schema.BLOCK, (run_id, label, record.block, record.job or None, text, record.state))
        self._add(schema.BLOCK_REASON, (run_id, label, record.block, text, record.state, record.reason))

    def _add(self, table: schema.Table, row: tuple[Any, ...]) -> None:
        self._rows[table.name].append(row)

    def _moment(self, moment_s: float) -> str:
        return self._text(microseconds(moment_s))
