"""The rows about tasks: ``task``, ``try``, ``status``, and those of attempts and failures.

States get strictly increasing moments, in their true order, so that ``ORDER BY timestamp`` shows it. The same
records always become the same rows: storing them a second time changes nothing.
"""

from __future__ import annotations

from typing import Any

from parsl.eventlog import TRIED_AGAIN, records
from parsl.monitoring.database import schema
from parsl.monitoring.database.moments import MomentText, microseconds
from parsl.monitoring.database.names import RunNames
from parsl.vocabulary.task_states import FINAL_STATES, States

Rows = dict[str, list[tuple[Any, ...]]]

_NO_EXTRA = records.TaskExtra()
_NOT_REPORTED = (-1, 0)
#: A row of ``task``, one of ``try``, and two states.
_ROWS_PER_OPEN_TASK = 4
_STATE_NAMES = {int(state): state.name for state in States}
_FINAL = frozenset(map(int, FINAL_STATES))
_EXEC_DONE, _MEMO_DONE, _FAILED = int(States.exec_done), int(States.memo_done), int(States.failed)
_JOINING = int(States.joining)
_PENDING, _LAUNCHED, _RUNNING = States.pending.name, States.launched.name, States.running.name
_RUNNING_ENDED, _FAIL_RETRYABLE = States.running_ended.name, States.fail_retryable.name


class TaskRows:
    """Makes rows of the records about the tasks of one run.

    Args:
        names: What the numbers in the records stand for.
        rows: Where the rows are appended, by table.
        text: Writes moments.
        resource_interval_s: The interval of resource monitoring; None if it is off.

    Attributes:
        failed_count: How many tasks have failed by themselves.
        completed_count: How many tasks have been executed with success.
    """

    def __init__(
        self, names: RunNames, rows: Rows, text: MomentText, resource_interval_s: float | None
    ) -> None:
        self._names = names
        self._text = text
        self._interval_s = resource_interval_s
        self._run_id = names.run.run_id
        self._tasks, self._tries, self._statuses = (
            rows[table.name] for table in (schema.TASK, schema.TRY, schema.STATUS)
        )
        self._attempts = rows[schema.ATTEMPT.name]
        self._failures = rows[schema.FAILURE.name]
        self._resources = rows[schema.RESOURCE.name]
        #: One byte per task: whether it has ended.
        self._ended = bytearray()
        #: The latest records of tasks that have not ended, without rows so far.
        self._open: dict[int, records.TaskRow] = {}
        #: Of attempts in progress: the attempt and the moment of its launch, and of its start if reported.
        self._launched: dict[int, tuple[int, int]] = {}
        self._started: dict[int, tuple[int, int]] = {}
        self.failed_count = self.completed_count = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._ended)} tasks, {len(self._launched)} attempts in progress>"

    @property
    def waiting_count(self) -> int:
        """About how many rows :meth:`complete` would append."""
        return _ROWS_PER_OPEN_TASK * len(self._open)

    def complete(self) -> None:
        """Append the rows of tasks that have not ended. What ends soon never needs them."""
        for row in self._open.values():
            self._add_open(row)
        self._open.clear()

    def take(self, record: records.Tasks) -> None:
        """Take in changes of tasks. What follows the end of a task is ignored."""
        for row in record.rows:
            if row.id >= len(self._ended):
                self._ended.extend(bytes(row.id + 1 - len(self._ended)))
            elif self._ended[row.id]:
                continue
            if row.state in _FINAL:
                self._end(row)
            else:
                self._change(row)

    def _change(self, row: records.TaskRow) -> None:
        """Take in the state of a task that has not ended."""
        if row.launched_s is not None:
            self._launched[row.id] = (row.attempt, _launch_of(row, row.launched_s))
        self._open[row.id] = row
        if row.state == _JOINING:  # the last one of its attempt
            self._add_open(self._open.pop(row.id))

    def _add_open(self, row: records.TaskRow) -> None:
        invoked = self._text(microseconds(row.invoked_s))
        self._add_task(row, invoked, None)
        self._add_status(row.id, _PENDING, invoked, 0)
        if row.launched_s is None:
            return
        launched = _launch_of(row, row.launched_s)
        launched_text = self._text(launched)
        self._add_status(row.id, _LAUNCHED, launched_text, row.attempt)
        self._add_try(row, self._manager_of(row), launched_text, None, None, None)
        if row.state == _JOINING and row.run_s >= 0:
            self._add_joining(row, launched)

    def _end(self, row: records.TaskRow) -> None:
        """Store a task that has ended, whole."""
        number, state, attempt = row.id, row.state, row.attempt
        self._ended[number] = 1
        self._open.pop(number, None)
        self._launched.pop(number, None)
        self.completed_count += state == _EXEC_DONE
        self.failed_count += state == _FAILED
        last = microseconds(row.invoked_s)
        returned = last if row.returned_s is None else microseconds(row.returned_s)
        invoked = self._text(last)
        self._add_status(number, _PENDING, invoked, 0)
        launched = started = None
        if row.launched_s is not None:
            last = _launch_of(row, row.launched_s)
            launched = self._text(last)
            self._add_status(number, _LAUNCHED, launched, attempt)
            started, last = self._add_progress(row, last, returned)
        end = self._text(max(returned, last + 1))
        manager = self._manager_of(row)
        self._add_status(number, _STATE_NAMES[state], end, attempt)
        self._add_task(row, invoked, end)
        history = "" if state in (_EXEC_DONE, _MEMO_DONE) else None
        self._add_try(row, manager, launched, started, end, history)
        if row.run_s >= 0:
            self._add_accounting(number, attempt, row, manager, end)

    def _add_progress(self, row: records.TaskRow, launched: int, returned: int) -> tuple[str | None, int]:
        """Store that the last attempt ran; return the text of its start, if known, and its last moment."""
        reported = self._started.pop(row.id, _NOT_REPORTED)
        if row.extra is not None and row.extra.joins:
            return self._add_joining(row, launched)
        started = _start_of(row, reported, launched, returned)
        if started is None:
            return None, launched
        ended = max(returned, started + 1)
        return self._add_run(row.id, row.attempt, started, ended), ended

    def start(self, record: records.TasksStarted) -> None:
        """Take in attempts that are running."""
        for row in record.rows:
            attempt, launched = self._launched.get(row.task, _NOT_REPORTED)
            if attempt != row.attempt or self._started.get(row.task, _NOT_REPORTED)[0] == attempt:
                continue
            started = max(microseconds(row.started_s), launched + 1)
            self._started[row.task] = (attempt, started)
            self._add_status(row.task, _RUNNING, self._text(started), attempt)

    def fail(self, record: records.AttemptFailed) -> None:
        """Take in the failure of an attempt, or of a task that was never attempted."""
        number, attempt = record.task, record.attempt
        kind = record.error.rpartition(".")[2]
        history = f"{kind}({record.message!r})" if kind else record.outcome
        failed = microseconds(record.time_s)
        root = record.root_task
        self._failures.append((
            self._run_id, number, attempt, self._text(failed), record.outcome, record.error, record.message,
            record.host or None, root,
        ))  # fmt: skip
        launched = None if record.launched_s is None else microseconds(record.launched_s)
        started = returned = None
        if record.outcome == TRIED_AGAIN:  # of the last attempt, the row of its task has the rest
            started, returned = self._fail_attempt(record, launched, failed)
            if record.run_s >= 0:
                self._add_accounting(number, attempt, record, self._manager_of(record), self._text(returned))
        manager = self._manager_of(record) or self._names.manager_on(record.executor, record.host)
        block, host = self._place_of(manager, started, record.executor)
        self._tries.append((
            attempt, number, self._run_id, block, record.host or host,
            self._names.executor(record.executor), self._moment(launched), self._moment(started),
            self._moment(returned), history, None,
        ))  # fmt: skip

    def _fail_attempt(
        self, record: records.AttemptFailed, launched: int | None, failed: int
    ) -> tuple[int | None, int]:
        """Store the states of an attempt that another one follows; return when it began and ended."""
        number, attempt = record.task, record.attempt
        started, last = None, failed - 1
        if launched is not None:
            self._add_status(number, _LAUNCHED, self._text(launched), attempt)
            known_attempt, known = self._started.pop(number, _NOT_REPORTED)
            if known_attempt == attempt:
                started = known
            elif record.run_s >= 0:
                started = max(failed - microseconds(record.run_s), launched + 1)
            last = launched
        if started is not None:
            last = max(failed, started + 1)
            self._add_run(number, attempt, started, last)
        end = max(failed, last + 1)
        self._add_status(number, _FAIL_RETRYABLE, self._text(end), attempt)
        self._add_status(number, _PENDING, self._text(end + 1), attempt + 1)
        return started, end

    def sample(self, record: records.Samples) -> None:
        """Take in resource samples."""
        if self._interval_s is None:
            return
        for row in record.rows:
            self._resources.append((
                row.attempt, row.task, self._run_id, self._text(microseconds(row.time_s)), self._interval_s,
                row.pid, row.memory_percent, float(row.children), row.user_s, row.system_s,
                float(row.memory_virtual), float(row.memory_resident), float(row.disk_read),
                float(row.disk_write), row.status, row.cpu_number, float(row.voluntary_switches),
                float(row.involuntary_switches),
            ))  # fmt: skip

    def _add_accounting(
        self,
        number: int,
        attempt: int,
        row: records.TaskRow | records.AttemptFailed,
        manager: records.ManagerJoined | None,
        end: str,
    ) -> None:
        """Store what the worker has measured; if that is of its own process, also as the last sample.

        Without a manager, this is so if the memory is known: that of a thread of the driver is not.
        """
        cpu_s = None if row.cpu_s < 0 else row.cpu_s
        memory = None if row.peak_memory < 0 else row.peak_memory
        self._attempts.append((
            self._run_id, number, attempt, None if manager is None else manager.name,
            None if row.worker < 0 else row.worker, row.run_s, cpu_s, memory,
        ))  # fmt: skip
        if self._interval_s is None or (memory is None and (cpu_s is None or manager is None)):
            return
        total = 0 if manager is None else manager.total_memory
        percent = 100 * memory / total if memory is not None and total else None
        self._resources.append((
            attempt, number, self._run_id, end, self._interval_s, None, percent, 0.0, cpu_s,
            None if cpu_s is None else 0.0, None, None if memory is None else float(memory), None, None, None,
            None, None, None,
        ))  # fmt: skip

    def _add_task(self, row: records.TaskRow, invoked: str, end: str | None) -> None:
        extra = row.whole_extra() or _NO_EXTRA
        self._tasks.append((
            row.id, self._run_id, ",".join(map(str, row.depends)), self._names.app(row.app),
            "1" if extra.memoize else "0", extra.hashsum or None, extra.inputs or "None",
            extra.outputs or "None", None, extra.stdout, extra.stderr, invoked, end, extra.fail_count,
            extra.fail_cost,
        ))  # fmt: skip

    def _add_try(
        self,
        row: records.TaskRow,
        manager: records.ManagerJoined | None,
        launched: str | None,
        started: str | None,
        end: str | None,
        history: str | None,
    ) -> None:
        block, host = self._place_of(manager, started, row.executor)
        joins = None if row.extra is None or not row.extra.joins else ",".join(map(str, row.extra.joins))
        self._tries.append((
            row.attempt, row.id, self._run_id, block, host, self._names.executor(row.executor), launched,
            started, end, history, joins,
        ))  # fmt: skip

    def _place_of(
        self, manager: records.ManagerJoined | None, started: object, executor: int
    ) -> tuple[str | None, str | None]:
        """Return the block and the host of an attempt, as far as they are known."""
        if manager is not None:
            return manager.block, manager.host
        is_here = started is not None and self._names.is_in_driver(executor)
        return None, self._names.run.host if is_here else None

    def _manager_of(self, row: records.TaskRow | records.AttemptFailed) -> records.ManagerJoined | None:
        return self._names.manager(row.executor, row.manager)

    def _add_joining(self, row: records.TaskRow, launched: int) -> tuple[str, int]:
        """Store the states of a join app that has returned futures; return its start and its last moment."""
        started = launched + 1
        ended = started + max(1, microseconds(max(row.run_s, 0.0)))
        text = self._add_run(row.id, row.attempt, started, ended)
        self._add_status(row.id, States.joining.name, self._text(ended + 1), row.attempt)
        return text, ended + 1

    def _add_run(self, number: int, attempt: int, started: int, ended: int) -> str:
        """Store that an attempt began and ended running; return the text of its start."""
        text = self._text(started)
        self._add_status(number, _RUNNING, text, attempt)
        self._add_status(number, _RUNNING_ENDED, self._text(ended), attempt)
        return text

    def _add_status(self, number: int, name: str, moment: str, attempt: int) -> None:
        self._statuses.append((number, name, moment, self._run_id, attempt))

    def _moment(self, microseconds_: int | None) -> str | None:
        return None if microseconds_ is None else self._text(microseconds_)


def _launch_of(row: records.TaskRow, launched_s: float) -> int:
    """Return when the last attempt was launched, which is after the call."""
    return max(microseconds(launched_s), microseconds(row.invoked_s) + 1)


def _start_of(row: records.TaskRow, reported: tuple[int, int], launched: int, returned: int) -> int | None:
    """Return when the last attempt began to run: as reported then, or computed back from its end."""
    attempt, started = reported
    if attempt == row.attempt:
        return started
    return None if row.run_s < 0 else max(returned - microseconds(row.run_s), launched + 1)
