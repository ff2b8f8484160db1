"""What the kernel contributes to the event log of its run.

On the path of a task, the feed only appends to queues: the number of a task that has changed, and the row of
a task that has ended; after some hundred of these, it encodes them. Its thread wakes up soon after, looks up
new and changed tasks, and writes.
"""

from __future__ import annotations

import threading
from collections import deque
from logging import getLogger
from queue import SimpleQueue
from time import time

from parsl.common.threads import disown_in_children, join
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks.event_rows import NO_QUEUE, EncodedRows, EndedRows, PlainQueue, take_oldest
from parsl.dataflow.tasks.event_writer import EventWriter, encodable
from parsl.dataflow.tasks.failure_log import root_task
from parsl.dataflow.tasks.graph import IS_FINAL
from parsl.dataflow.tasks.task_extra import extra_of, numbers_of
from parsl.vocabulary.run_observer import Accounting, RunObserver, usage_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.tasks.event_rows import PackedRows
    from parsl.dataflow.tasks.graph import TaskGraph
    from parsl.eventlog.records import RunBegan
    from parsl.executors.base import ParslExecutor
    from parsl.failure_facts import FailureFacts
    from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts, ResourceSample

logger = getLogger(__name__)

#: From the first event to the record in the file (seconds).
FLUSH_S = 0.5
#: How many events wait for a slow disk at most, before the oldest are dropped; likewise ended tasks.
_MAX_WAITING = 500_000
_MESSAGE_CHARS = 500
#: Why records are missing.
_TOO_SLOW = "the disk was too slow"
_NOT_ENCODED = "they could not be encoded (see parsl.log)"
#: In a row, what follows the moment of the end where it is not known, up to the extra.
_UNKNOWN = (-1.0, -1.0, -1, -1, -1)
_FIELDS_BEFORE_UNKNOWN = 9
#: The numbers of states as plain integers, because those of the enumeration are slow to hash.
_STATE_NUMBERS = list(range(len(IS_FINAL)))
#: How long the end of a run waits for the thread, for instance while the disk does not respond (seconds).
_CLOSE_S = 10.0


class EventFeed(RunObserver):
    """Writes the event log of a run. Any thread may call it; no method waits for the file but :meth:`close`.

    Args:
        path: The file.
        graph: The tasks.
        executor_of: Returns the executor with a label.
        describe_run: Makes the first record.
    """

    def __init__(
        self,
        path: str,
        graph: TaskGraph,
        executor_of: Callable[[str], ParslExecutor | None],
        describe_run: Callable[[], RunBegan],
    ) -> None:
        self._path = path
        self._graph = graph
        self._executor_of = executor_of
        self._describe_run = describe_run
        self._changed: deque[int] = deque(maxlen=_MAX_WAITING)
        self._ended = EndedRows(_MAX_WAITING)
        #: Takes the next plain row if it is of the same app and executor. See :meth:`ended`.
        self.plain = NO_QUEUE
        #: By the identity of the app's function, and the label. No other function can get it meanwhile.
        self._plain: dict[tuple[int, str], PlainQueue] = {}
        #: Names of record classes, with the fields.
        self._facts: deque[tuple[str, tuple[Any, ...]]] = deque()
        #: How many records are missing, why, and since when.
        self._lost = 0
        self._lost_why = ""
        self._looked_s = time()
        #: How many ended tasks the log has, or lacks knowingly.
        self._accounted = 0
        self._app_names, self._executor_names = _Names(), _Names()
        #: The numbers of apps and executors by name.
        self._apps, self._executors = self._app_names.numbers, self._executor_names.numbers
        #: The numbers of managers by the executor's label and the manager's name.
        self._managers: dict[tuple[str, str], int] = {}
        self._starting = threading.RLock()  # reentrant, because a signal handler may note something
        self._writer: EventWriter | None = None
        self._has_warned = False
        #: The number of tasks at the last look. The thread finds those that were added later.
        self._known = 0
        #: The tasks that were new at the last look, and had not ended, by number, which takes little memory.
        self._new: Sequence[int] = ()
        #: The rows of changed and new tasks, while they are written.
        self._opened = EncodedRows()
        #: Call it with the number of an older task whose state has changed, and :meth:`wake` if `is_asleep`.
        self.changed = self._changed.append
        self.is_asleep = True
        #: One item for each call of :meth:`wake`. An event has a lock, which an interrupt may leave locked.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        disown_in_children(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    # On the path of tasks

    def wake(self) -> None:
        """Make the thread write soon."""
        try:
            self.is_asleep = False
            self._wakeups.put(None)
            if self._thread is None:
                self._start()
        except Exception:  # there are too many threads
            logger.exception("The event log %s will be written at the end of the run", self._path)
        except BaseException:  # an interrupt, after which the thread may not know
            self.is_asleep = True
            raise

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closing.is_set():
                # Assigned first: after an interrupt there must not be two.
                self._thread = threading.Thread(target=self._run, name="parsl-events", daemon=True)
                self._thread.start()

    def ended(self, record: TaskRecord, error: BaseException | None = None) -> None:
        """Note how a task has ended, and its error if it has failed, before its payload is dropped.

        For a task that `is_plain` and has ended well, it is quicker to `pack_plain` its row and to add it to
        :attr:`plain`, or to :meth:`plain_of` if that is of another app or executor. Call :meth:`encode` after
        some hundred tasks of either kind.
        """
        try:
            self._ended.add(self._ended_row(record, error))
            if self.is_asleep:
                self.wake()
        except Exception:  # of an object of the user's: the task must end
            logger.exception("The end of %r is missing in the event log", record)
            self._accounted += 1
            self._lack(1, _NOT_ENCODED)

    def encode(self) -> None:
        """Encode what has ended; that takes half the time for many tasks together."""
        try:
            self._ended.encode()
        except Exception:  # of an object of the user's: the task must end
            logger.exception("Ended tasks are missing in the event log %s", self._path)

    def plain_of(self, record: TaskRecord) -> PlainQueue:
        """Return what takes the plain rows of a task's app and executor; :attr:`plain` from now on."""
        key = id(record.func), record.executor
        queue = self._plain.get(key)
        if queue is None:
            add = self._ended.plain_of(*self._numbers_of(record))
            queue = self._plain[key] = PlainQueue(record.func, record.executor, add)
        self.plain = queue
        if self.is_asleep:
            self.wake()
        return queue

    def _ended_row(self, record: TaskRecord, error: BaseException | None) -> tuple[Any, ...]:
        """Return the fields of a `TaskRow`."""
        row = self._row(record)
        used = usage_of(record.exec_fu)
        if error is not None:
            used = self._accounting_of(record, error, used)
        if used is not None:
            row += used
        if record.special is not None or record.fail_count or record.join:
            return (*row, *_UNKNOWN[len(row) - _FIELDS_BEFORE_UNKNOWN :], extra_of(record))
        if record.memoize:
            return (*row, *_UNKNOWN[len(row) - _FIELDS_BEFORE_UNKNOWN :], None, str(record.hashsum or ""))
        return row

    def _row(self, record: TaskRecord) -> tuple[Any, ...]:
        """Return the fields of a `TaskRow` up to the moment of the end, which is None before the end."""
        app, executor = self._numbers_of(record)
        depends = record.depends
        return (
            record.id, app, executor, _STATE_NUMBERS[record.status], record.try_id, record.invoked_s,
            record.launched_s, numbers_of(depends) if depends else (), record.returned_s,
        )  # fmt: skip

    def _numbers_of(self, record: TaskRecord) -> tuple[int, int]:
        """Return the numbers of a task's app and executor."""
        try:
            return self._apps[record.func.__name__], self._executors[record.executor]
        except Exception:  # new names, or an object of the user's without a usual one
            return self._new_names(record)

    def _new_names(self, record: TaskRecord) -> tuple[int, int]:
        try:
            name = str(record.func_name)
        except Exception:  # of an object of the user's
            name = type(record.func).__name__
        return self._app_names.number_of(name), self._executor_names.number_of(record.executor)

    def _accounting_of(
        self, record: TaskRecord, error: BaseException | None, measured: Accounting | None
    ) -> Accounting | None:
        """Return what a failed attempt has used: as its worker has measured it, or as its error has it."""
        if measured is not None:
            return measured
        facts = _facts_of(error)
        manager = self._managers.get((record.executor, facts.manager or ""))
        known = (facts.ran_s, None, facts.peak_memory, manager, facts.worker)
        if all(fact is None for fact in known):
            return None
        return Accounting(*(-1 if fact is None else fact for fact in known))

    def failed(
        self,
        record: TaskRecord,
        error: BaseException | None,
        outcome: str,
        attempt: int,
        exec_fu: Future[Any] | None = None,
    ) -> None:
        """Note that an attempt (counted from 0), or a task before its first one, has failed.

        ``exec_fu`` is the executor's future of the attempt, if there was one.
        """
        try:
            app, executor = self._numbers_of(record)
            used = self._accounting_of(record, error, usage_of(exec_fu)) or Accounting()
            self.note(
                "AttemptFailed", record.id, attempt, executor, time(), outcome, *_described(error),
                record.launched_s, used.run_s, used.manager, used.worker, _facts_of(error).host or "",
                root_task(error), app, used.cpu_s, used.peak_memory,
            )  # fmt: skip
        except Exception:  # of the user's exception
            logger.exception("A failure of %r is missing in the event log", record)
            self._lack(1, _NOT_ENCODED)

    # From the executors

    def manager_joined(self, label: str, manager: ManagerFacts) -> None:
        """Note a manager."""
        executor = self._executor_names.number_of(label)
        number, name, *rest = manager
        self._managers[label, name] = number
        self.note("ManagerJoined", executor, number, time(), name, *rest)

    def manager_gone(self, label: str, number: int, reason: str) -> None:
        """Note the end of a manager."""
        self.note("ManagerGone", self._executor_names.number_of(label), number, time(), reason)

    def node_changed(self, label: str, host: str, text: str) -> None:
        """Note the standing of a node."""
        self.note("NodeChanged", self._executor_names.number_of(label), time(), host, text)

    def block_changed(self, label: str, block: BlockFacts) -> None:
        """Note the state of a block."""
        executor = self._executor_names.number_of(label)
        job = block.job_id or ""
        self.note("BlockChanged", executor, block.moment_s, block.block, job, block.status, block.message)

    def tasks_started(self, label: str, started: Sequence[tuple[Future[Any], float, int, int]]) -> None:
        """Note that tasks are running, and make it their state."""
        rows = [
            (record.id, record.try_id, started_s, manager, worker)
            for future, started_s, manager, worker in started
            for record in _records_of(future)
            if self._graph.running(record, future)
        ]
        if rows:
            self._changed.extend(row[0] for row in rows)
            self.note("TasksStarted", rows)

    def resource_samples(
        self, label: str, samples: Sequence[tuple[Future[Any], float, ResourceSample]]
    ) -> None:
        """Note what running tasks use."""
        rows = [
            (record.id, record.try_id, moment_s, *sample)
            for future, moment_s, sample in samples
            for record in _records_of(future)
        ]
        if rows:
            self.note("Samples", rows)

    def note(self, kind: str, *fields: Any) -> None:
        """Note a record, given the name of its class and its fields."""
        if len(self._facts) < _MAX_WAITING:
            self._facts.append((kind, fields))
        else:
            self._lack(1, _TOO_SLOW)
        if self.is_asleep:
            self.wake()

    def _lack(self, number: int, why: str) -> None:
        """Count records that will be missing in the log, for a `Gap`."""
        self._lost += number
        self._lost_why = why

    # The thread

    def _run(self) -> None:
        # The thread sleeps after two looks that have found nothing. While tasks end, no task wakes it: that
        # would be one more wait for Python's lock. Only the first plain task after the last look wakes it.
        has_found = False
        while not self._closing.is_set():
            self._wakeups.get()
            self._closing.wait(FLUSH_S)
            while not self._wakeups.empty():
                self._wakeups.get()
            self.is_asleep = True  # first: what happens from now on wakes the thread again
            has_queue = self.plain is not NO_QUEUE  # the row for it may still be on the way
            self._forget_queues()
            had_found, has_found = has_found, self._flush() or has_queue
            if has_found or had_found:
                self.wake()

    def _forget_queues(self) -> None:
        """Forget the queues for plain rows, which keep functions of the user's in memory."""
        self._plain.clear()
        self.plain = NO_QUEUE

    def _flush(self) -> bool:
        """Write what there is. Returns whether there was anything; then more may follow soon."""
        try:
            if self._writer is None:
                from parsl.eventlog.records import encode

                # First: what waits needs less memory then, while the file cannot be made.
                self._ended.encode_with(encode)
                self._writer = EventWriter(self._path, self._describe_run(), self._executor_of)
            return self._write(self._writer)
        except OSError as error:  # on a full disk, for example: perhaps later
            if not self._has_warned:
                self._has_warned = True
                logger.warning("The event log %s cannot be written: %s", self._path, error)
        except Exception:  # the run is more important than its log
            logger.exception("Events are missing in %s", self._path)
        return False

    def _write(self, writer: EventWriter) -> bool:
        # Facts first: their tasks have changed before. Ended tasks last: those that end meanwhile are there.
        facts = take_oldest(self._facts, len(self._facts))
        opened = self._opened
        opened.clear()
        opened.add_all(self._open_rows(), writer.encode)
        packed, others = self._ended.take()
        now_s = time()
        self._account(opened, packed, others)
        try:
            writer.name(self._executor_names.listed, self._app_names.listed)
            writer.write_rows(opened)
            for fact in facts:
                self._write_fact(writer, *fact)
            self._write_gap(writer, now_s)
            writer.write_packed(packed)
            writer.write_rows(others)
            writer.sum_up(self._graph.task_count, is_due=False)
        except Exception:  # which nothing known raises: then all may be missing
            self._lack(len(facts) + opened.number + packed.number + others.number, _NOT_ENCODED)
            raise
        finally:
            self._looked_s = now_s
            writer.flush()  # before the memory of rows is used again
        return bool(self._new or facts or opened.number or packed.number or others.number)

    def _write_fact(self, writer: EventWriter, kind: str, fields: tuple[Any, ...]) -> None:
        try:
            writer.write(kind, *fields)
        except Exception:  # such as a text of the user's that is none
            logger.exception("A record %s is missing in %s: %r", kind, self._path, fields)
            self._lack(1, _NOT_ENCODED)

    def _account(self, opened: EncodedRows, *ended: PackedRows | EncodedRows) -> None:
        """Count ended tasks, and the rows that are missing."""
        self._accounted += sum(rows.number + rows.lost for rows in ended)
        for rows in (opened, *ended):
            if rows.lost:
                self._lack(rows.lost, _TOO_SLOW if rows.number >= _MAX_WAITING else _NOT_ENCODED)
        if self._ended.may_lack_rows:
            self._ended.may_lack_rows = False
            self._accounted += 1  # at least; how many these are is known at the end
            self._lack(1, _TOO_SLOW)

    def _write_gap(self, writer: EventWriter, now_s: float) -> None:
        if self._lost:
            number, self._lost = self._lost, 0
            writer.write("Gap", self._looked_s, now_s, number, self._lost_why)

    def _open_rows(self) -> list[tuple[Any, ...]]:
        """Return rows of tasks that have not ended: changed ones, and those that were new at the last look.

        Most tasks end before the second look, and have one row. A task with a fact has changed, so that it
        has a row before the fact.
        """
        if len(self._changed) == _MAX_WAITING:
            self._lack(1, _TOO_SLOW)
        numbers = dict.fromkeys((*take_oldest(self._changed, len(self._changed)), *self._new))
        records = [*filter(None, map(self._graph.tasks.get, numbers))]
        self._known, self._new = self._graph.added_since(self._known)
        rows = (self._open_row(record) for record in records if not IS_FINAL[record.status])
        return [row for row in rows if row is not None]

    def _open_row(self, record: TaskRecord) -> tuple[Any, ...] | None:
        try:
            return self._row(record)
        except Exception:  # of an object of the user's
            logger.exception("A state of %r is missing in the event log", record)
            self._lack(1, _NOT_ENCODED)
            return None

    def close(self, states: Mapping[str, int]) -> None:
        """Write the rest, and the end of the run with the numbers of tasks by the name of their state."""
        self._closing.set()
        self._forget_queues()
        self._wakeups.put(None)
        if not join(self._thread, _CLOSE_S):
            logger.warning("The event log %s is incomplete: the disk does not respond", self._path)
            return
        for _ in range(2):  # new tasks that never end have their rows after the second look
            self._flush()
        if self._writer is not None:
            missing = sum(self._graph.ended_counts().values()) - self._accounted
            if missing > 0 and self._lost_why:
                self._lack(missing, self._lost_why)
            self._write_gap(self._writer, time())
            self._writer.end(self._graph.task_count, states)

    def disown(self) -> None:
        """Write nothing in a forked child: the log is its parent's."""
        self._closing, self._wakeups = threading.Event(), SimpleQueue()  # the thread may hold their locks
        self._closing.set()
        self.is_asleep = False
        self._starting = threading.RLock()
        for waiting in (self._changed, self._ended, self._facts, self._plain):
            waiting.clear()
        self.plain = NO_QUEUE


class _Names:
    """Numbers names as they come. Any thread may use it, and signal handlers: it has no lock."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        #: The place of a name is its number; all can be encoded. A name that two threads have added is there
        #: twice.
        self.listed: list[str] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.listed}>"

    def number_of(self, name: str) -> int:
        """Return the number of a name, which may be new."""
        number = self.numbers.get(name)
        if number is None:
            text = encodable(name)
            self.listed.append(text)
            number = self.numbers[name] = self.listed.index(text)
        return number


def _records_of(future: Future[Any]) -> list[TaskRecord]:
    """Return the records among the callbacks of an executor's future."""
    callbacks = getattr(future, "_done_callbacks", None)
    listed = callbacks if type(callbacks) is list else [callbacks]
    return [callback for callback in listed if type(callback) is TaskRecord]


def _described(error: BaseException | None) -> tuple[str, str]:
    """Return the class of an error, and the beginning of its text."""
    from parsl.vocabulary.dataflow_errors import text_of

    if error is None:
        return "", ""
    return f"{type(error).__module__}.{type(error).__qualname__}", text_of(error)[:_MESSAGE_CHARS]


def _facts_of(error: BaseException | None) -> FailureFacts:
    """Return the facts of an error, or of the last attempt's if the kernel's own one explains it."""
    from parsl.failure_facts import facts_of, has_facts
    from parsl.vocabulary.dataflow_errors import DataFlowException

    if type(error) is DataFlowException and not has_facts(error):
        error = error.__cause__
    return facts_of(error)
