"""The records of the event log of a run: facts, with moments (seconds since the epoch).

Moments are on the driver's clock. Records are encoded like the messages between processes: msgpack arrays,
typed and tagged. New fields go to the end and have a default, so that older logs stay readable. Older readers
skip what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import msgspec

from parsl.eventlog import EVENT_LOG as EVENT_LOG
from parsl.vocabulary.run_observer import USAGE_FORMAT, Accounting, unpack_usage
from parsl.vocabulary.task_states import States

#: The version of the format. A reader refuses a log of a later one.
FORMAT_VERSION = 3


class ExecutorFacts(msgspec.Struct, array_like=True):
    """An executor of the run. Its place in the list of all `Executors` records is its number."""

    label: str
    #: The name of its class.
    kind: str
    #: The name of its provider's class; empty without one.
    provider: str = ""
    #: How many blocks it has at a time, at most; -1 if not known.
    max_blocks: int = -1


class RunBegan(msgspec.Struct, tag="run", array_like=True):
    """The first record."""

    format_version: int
    run_id: str
    began_s: float
    run_dir: str
    workflow_name: str
    workflow_version: str
    host: str
    user: str
    #: The driver's process, and when it has started (in the system's own unit): a later process may have the
    #: same number.
    pid: int
    process_started: float
    python_version: str
    parsl_version: str
    #: The driver's command line.
    command: list[str] = []


class Executors(msgspec.Struct, tag="executors", array_like=True):
    """More executors of the run."""

    executors: list[ExecutorFacts]
    #: The number of the first one; None in older logs.
    first: int | None = None

    def add_to(self, known: list[ExecutorFacts]) -> None:
        """Add them to those before; others stand for those whose records are damaged."""
        _add_at(known, self.first, self.executors, lambda number: ExecutorFacts(unknown_executor(number), ""))


class Apps(msgspec.Struct, tag="apps", array_like=True):
    """More names of apps. The place of a name among those of all such records is the app's number."""

    names: list[str]
    #: The number of the first one; None in older logs.
    first: int | None = None

    def add_to(self, known: list[str]) -> None:
        """Add them to those before; others stand for those whose records are damaged."""
        _add_at(known, self.first, self.names, unknown_app)


class TaskExtra(msgspec.Struct, omit_defaults=True):
    """What few tasks have."""

    label: str = ""
    stdout: str = ""
    stderr: str = ""
    #: The arguments and results that are files, as text.
    inputs: str = ""
    outputs: str = ""
    memoize: bool = False
    hashsum: str = ""
    fail_count: int = 0
    fail_cost: float = 0.0
    #: The numbers of the tasks that a join app has returned.
    joins: list[int] = []


class TaskRow(msgspec.Struct, array_like=True):
    """The state of a task: what it was at some moment after a change, or how the task has ended.

    A task that ends soon has one row; a task that waits or runs for long has one after each change.
    """

    id: int
    app: int
    executor: int
    #: A number of :class:`parsl.dataflow.states.States`.
    state: int
    #: The number of the present or last attempt, from 0 on.
    attempt: int
    invoked_s: float
    #: When the attempt was submitted to its executor; None if it has not been.
    launched_s: float | None
    #: The numbers of the tasks that it waits for, or has waited for.
    depends: tuple[int, ...] = ()
    # The following is known of a task that has ended.
    returned_s: float | None = None
    #: How long the attempt ran on its worker, and the processor time that it took; -1 if not known.
    run_s: float = -1.0
    cpu_s: float = -1.0
    #: The worker's largest resident set, in bytes; -1 if not known.
    peak_memory: int = -1
    #: The number of the manager within its executor, and of the worker within its manager; -1 if not known.
    manager: int = -1
    worker: int = -1
    extra: TaskExtra | None = None
    #: The hash of a call of an app with a cache, if the task has no extra. As a field, it takes little space.
    hashsum: str | None = None

    def whole_extra(self) -> TaskExtra | None:
        """Return the extra, with the hash."""
        if self.hashsum is None:
            return self.extra
        return TaskExtra(memoize=True, hashsum=self.hashsum)


class Tasks(msgspec.Struct, tag="tasks", array_like=True):
    """Rows about tasks, in the order in which they apply."""

    rows: list[TaskRow]


class PackedTasks(msgspec.Struct, tag="packed", array_like=True):
    """Tasks that have ended well at their first attempt, and waited for no others: the usual ones.

    What such tasks do not have takes no space. Readers get `Tasks` instead.
    """

    app: int
    executor: int
    #: For each task, in little-endian binary: its number, `invoked_s`, `launched_s`, `returned_s`, and what
    #: :data:`parsl.vocabulary.run_observer.pack_usage` has made.
    rows: bytes


class PlainRow(msgspec.Struct, array_like=True):
    """A task of `PackedTasks` in format 2."""

    id: int
    app: int
    executor: int
    invoked_s: float
    launched_s: float
    returned_s: float
    usage: bytes


class PlainTasks(msgspec.Struct, tag="plain", array_like=True):
    """What format 2 has in the place of `PackedTasks`."""

    rows: list[PlainRow]


class TaskStarted(msgspec.Struct, array_like=True):
    """An attempt that has run for a while and is still running."""

    task: int
    attempt: int
    started_s: float
    manager: int = -1
    worker: int = -1


class TasksStarted(msgspec.Struct, tag="started", array_like=True):
    """Attempts that are running. Short attempts are never reported; their last row has the times."""

    rows: list[TaskStarted]


class AttemptFailed(msgspec.Struct, tag="failed", array_like=True):
    """An attempt, or a task before its first attempt, has failed. ``failures.jsonl`` has the traceback."""

    task: int
    attempt: int
    executor: int
    time_s: float
    #: One of the outcomes in `parsl.eventlog`.
    outcome: str
    #: The class of the error with its module; empty for a cancelled task.
    error: str
    #: The beginning of its text.
    message: str
    launched_s: float | None = None
    run_s: float = -1.0
    manager: int = -1
    worker: int = -1
    host: str = ""
    #: For a failed dependency: the task that failed first, if known.
    root_task: int | None = None
    #: The number of the task's app, whose name may follow in a later record; -1 if not known.
    app: int = -1
    #: As in a `TaskRow`.
    cpu_s: float = -1.0
    peak_memory: int = -1


class ManagerJoined(msgspec.Struct, tag="manager", array_like=True):
    """A manager has registered."""

    executor: int
    #: Its number within the executor, to which tasks refer.
    number: int
    time_s: float
    name: str
    block: str
    host: str
    pid: int
    workers: int
    cpu_count: int = 0
    #: In bytes.
    total_memory: int = 0
    python_version: str = ""
    accelerators: list[str] = []


class ManagerGone(msgspec.Struct, tag="manager-gone", array_like=True):
    """A manager has left or is lost."""

    executor: int
    number: int
    time_s: float
    reason: str


class NodeChanged(msgspec.Struct, tag="node", array_like=True):
    """The standing of a node has changed: it is quarantined, for example."""

    executor: int
    time_s: float
    host: str
    text: str


class BlockChanged(msgspec.Struct, tag="block", array_like=True):
    """A block's state, job or reason has changed."""

    executor: int
    time_s: float
    block: str
    job: str
    #: The name of a :class:`parsl.jobs.states.JobState`.
    state: str
    #: The scheduler's own words, for example why the job waits.
    reason: str = ""


class ResourceSample(msgspec.Struct, array_like=True):
    """What the processes of an attempt use at a moment."""

    task: int
    attempt: int
    time_s: float
    pid: int
    #: Memory in bytes, times in seconds, both of the whole process tree.
    memory_resident: int
    memory_virtual: int
    memory_percent: float
    user_s: float
    system_s: float
    children: int
    disk_read: int = 0
    disk_write: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0
    status: str = ""
    cpu_number: str = ""


class Samples(msgspec.Struct, tag="samples", array_like=True):
    """Resource samples."""

    rows: list[ResourceSample]


class Summary(msgspec.Struct, tag="summary", array_like=True):
    """Totals up to here, so that a reader has them before it has read the whole log."""

    time_s: float
    task_count: int
    #: The numbers of tasks that have ended, by app and by final state: [app, state, number].
    ended: list[tuple[int, int, int]]
    #: All names of apps so far.
    apps: list[str]


class Gap(msgspec.Struct, tag="gap", array_like=True):
    """Records are missing here: the file could not be written for a time, or they could not be encoded."""

    from_s: float
    to_s: float
    records: int
    reason: str


class RunEnded(msgspec.Struct, tag="end", array_like=True):
    """The last record."""

    time_s: float
    task_count: int
    #: The numbers of tasks by the name of their state.
    states: dict[str, int]


Record = (
    RunBegan | Executors | Apps | Tasks | PackedTasks | PlainTasks | TasksStarted | AttemptFailed
    | ManagerJoined | ManagerGone | NodeChanged | BlockChanged | Samples | Summary | Gap | RunEnded
)  # fmt: skip

encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
_DONE = int(States.exec_done)
_PACKED_ROW = Struct(f"<qddd{USAGE_FORMAT}")
#: Make the names of apps and executors, given their numbers, if the records of these are damaged.
unknown_app = "app {}".format
unknown_executor = "executor {}".format


def executor_label(executors: Sequence[ExecutorFacts], number: int) -> str:
    """Return the label of an executor; after damage it may be unknown."""
    return executors[number].label if number < len(executors) else unknown_executor(number)


#: What `decode` raises for a record that is damaged, or of a kind that this version does not know.
DecodeError = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(encoded: bytes) -> Record:
    """Return a record. Packed and plain tasks are `Tasks` now.

    Raises:
        DecodeError: The record is damaged, or of a kind that this version does not know.
    """
    record: Record = _decode(encoded)
    if type(record) is PackedTasks:
        return Tasks(_unpacked_rows(record))
    return Tasks(_task_rows(record.rows)) if type(record) is PlainTasks else record


def _unpacked_rows(packed: PackedTasks) -> list[TaskRow]:
    whole = len(packed.rows) // _PACKED_ROW.size * _PACKED_ROW.size
    return [
        TaskRow(number, packed.app, packed.executor, _DONE, 0, invoked_s, launched_s, (), returned_s, *used)
        for number, invoked_s, launched_s, returned_s, *used in _PACKED_ROW.iter_unpack(
            memoryview(packed.rows)[:whole]
        )
    ]


def _task_rows(rows: list[PlainRow]) -> list[TaskRow]:
    unknown = Accounting()
    return [
        TaskRow(
            row.id, row.app, row.executor, _DONE, 0, row.invoked_s, row.launched_s, (), row.returned_s,
            *(unpack_usage(row.usage) or unknown),
        )
        for row in rows
    ]  # fmt: skip


def _add_at(known: list[Any], first: int | None, new: Sequence[Any], missing: Callable[[int], Any]) -> None:
    if first is not None:
        known.extend(map(missing, range(len(known), first)))
        del known[first:]
    known.extend(new)


def head_of_tasks(number: int) -> bytes:
    """Return the beginning of a `Tasks` record with so many rows, which follow, encoded one by one.

    A tuple that begins with the fields of a row is encoded like one, and is faster to make. The list is an
    "array 32" (https://github.com/msgpack/msgpack/blob/master/spec.md).
    """
    return b"".join((encode(Tasks([]))[:-1], b"\xdd", number.to_bytes(4, "big")))


def head_of_packed(app: int, executor: int, size: int) -> bytes:
    """Return the beginning of a `PackedTasks` record with so many bytes, which follow: a "bin 32"."""
    return b"".join((encode(PackedTasks(app, executor, b""))[:-2], b"\xc6", size.to_bytes(4, "big")))
