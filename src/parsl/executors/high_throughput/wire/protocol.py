"""The wire format: every message that crosses a process boundary, and nothing else.

A message is one msgpack record (its *head*) followed by any number of raw frames. Users' objects travel as
opaque bytes, small ones inside the head, large ones as frames of their own; nobody between driver and worker
opens them. Records are tagged and typed: what does not fit its type is refused by the decoder.

    driver -> interchange   Tasks, Cancel, Query, BlockEnded, HoldBlock, Restored, CleanupCommands, Stop
    interchange -> driver   Ready, Results, Answer, ManagerJoined, ManagerGone, ManagerRefused,
                            NodeNews
    manager -> interchange  Register, Results, Beat, Draining, Interrupted, Held, Packages,
                            Goodbye
    interchange -> manager  Welcome, Refused, Reregister, Tasks, Acknowledged, Cancel, Beat, Draining,
                            ReportHeldTasks, ReportPackages, Stop
    manager -> worker       Work (one packet each, see worker_channel)
    worker -> manager       Result (one packet each)
    manager -> fork server  Fork, End, Sweep
    fork server -> manager  Forked, Exited, Swept
"""

from __future__ import annotations

import msgspec

#: Raised by one with every change that an older peer cannot read.
PROTOCOL_VERSION = 2

#: Pickled arguments and results up to this many bytes travel inside the head of their message.
INLINE_LIMIT = 32 * 1024

# What became of a task, in Result.status.
DONE = 0  # payload: the pickled result
RAISED = 1  # payload: the pickled exception
FAILED = 2  # payload: a Failure record; the machinery, not the task, says so

# Failure.kind
WORKER_LOST = "worker_lost"
MANAGER_LOST = "manager_lost"
TIMED_OUT = "timed_out"
CANCELLED = "cancelled"
OVER_MEMORY = "over_memory"


class Resources(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What an MPI task runs on."""

    num_nodes: int
    ranks_per_node: int
    num_ranks: int
    #: What to put after the launcher's own arguments, as the shell is to see it.
    launcher_options: str = ""


class Task(msgspec.Struct, array_like=True, gc=False):
    """One call of one function."""

    id: int
    #: Content name of a function sent before; empty when the payload brings its function along.
    function: bytes
    #: Pickled arguments; empty when they travel as frames.
    payload: bytes
    #: Sizes in bytes of the frames that belong to this task.
    sizes: tuple[int, ...] = ()
    #: Lower runs first; None runs after every number.
    priority: float | None = None
    walltime_s: float | None = None
    #: Sizes in bytes of its pieces in the spool (see spool.py), when it travels there.
    spooled: tuple[int, ...] = ()
    resources: Resources | None = None
    #: How long it takes, as its user says; it is not started where there is less time.
    runtime_s: float | None = None
    #: Where its pickled arguments begin in the arena (see arena.py), and their size in bytes.
    place: tuple[int, int] | None = None


class Result(msgspec.Struct, array_like=True, gc=False):
    """What became of one task."""

    id: int
    status: int
    payload: bytes
    sizes: tuple[int, ...] = ()
    #: Seconds between the worker's having the task and its having the result.
    run_s: float = 0.0
    #: Sizes in bytes of its pieces in the spool, when it travels there.
    spooled: tuple[int, ...] = ()


class Failure(msgspec.Struct, omit_defaults=True):
    """Why the machinery failed a task: plain data, from which the driver makes an exception."""

    kind: str
    message: str
    host: str = ""
    block: str = ""
    manager: str = ""
    worker: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    #: Largest resident set of the worker, in bytes.
    peak_memory: int | None = None
    log_tail: str = ""
    #: Its manager is gone, perhaps with its job.
    is_gone: bool = False
    #: The job was at its end: that is not the task's doing.
    is_job_end: bool = False
    #: How long the task had been running, in seconds, where known.
    ran_s: float | None = None
    #: The worker's process.
    pid: int | None = None


class ManagerInfo(msgspec.Struct):
    """What one connected manager is doing, as the interchange sees it."""

    manager: str
    block: str
    host: str
    workers: int
    tasks: int
    idle_s: float
    active: bool
    draining: bool
    parsl_version: str
    python_version: str
    #: Nodes that it has to give to tasks; 0 where tasks do not ask for nodes.
    nodes: int = 0
    #: In how many seconds its job will be ended; None if nobody knows.
    ends_in_s: float | None = None


class Tasks(msgspec.Struct, tag=True, array_like=True):
    """Tasks to run. Their frames follow the head, in their order."""

    tasks: list[Task]
    #: Bodies of functions that the receiver has not seen yet, by content name.
    functions: dict[bytes, bytes]
    #: To a manager: up to which serial number its results have got to the driver.
    acknowledged: int = 0


class Results(msgspec.Struct, tag=True, array_like=True):
    """What became of tasks. Their frames follow the head, in their order."""

    results: list[Result]
    #: How many tasks the manager wants to hold from now on (to the driver: unused).
    capacity: int = 0
    #: A manager numbers these messages from 1 on, and keeps them until they are acknowledged; 0 if there is
    #: no need (to the driver: unused).
    serial: int = 0


class Cancel(msgspec.Struct, tag=True, array_like=True):
    """End tasks, queued or running."""

    ids: list[int]


class Query(msgspec.Struct, tag=True, array_like=True):
    """A question of the driver: `what` is 'managers' or 'packages'."""

    number: int
    what: str


class Answer(msgspec.Struct, tag=True, array_like=True):
    """The answer to the question of that number; with number 0, news of all managers without a question."""

    number: int
    managers: list[ManagerInfo] = []
    packages: dict[str, dict[str, str]] = {}
    #: How many tasks wait that none of these managers has the time for, but a new block would.
    without_time: int = 0


class BlockEnded(msgspec.Struct, tag=True, array_like=True):
    """The scheduler says that a block's job is over: its managers are gone."""

    block: str


class HoldBlock(msgspec.Struct, tag=True, array_like=True):
    """A block is about to be given back: no more tasks for its managers; or not, after all."""

    block: str
    is_held: bool


class Restored(msgspec.Struct, tag=True, array_like=True):
    """To an interchange that takes another's place: these were all tasks that have not ended."""


class CleanupCommands(msgspec.Struct, tag=True, array_like=True):
    """What to run should the driver die: it cancels the driver's jobs."""

    #: Each a program with its arguments.
    commands: list[list[str]]
    #: To be run before all that was said before, which holds; else it is instead of that.
    is_addition: bool = False


class Stop(msgspec.Struct, tag=True, array_like=True):
    """End, and let go of all tasks."""

    reason: str


class Ready(msgspec.Struct, tag=True, array_like=True):
    """The interchange has begun to serve."""

    pid: int


class ManagerJoined(msgspec.Struct, tag=True, array_like=True):
    """A manager has registered."""

    info: ManagerInfo


class ManagerGone(msgspec.Struct, tag=True, array_like=True):
    """A manager has left, or was given up."""

    manager: str
    block: str
    reason: str


class ManagerRefused(msgspec.Struct, tag=True, array_like=True):
    """A manager's versions do not match the driver's."""

    host: str
    block: str
    driver_version: str
    manager_version: str


class NodeStanding(msgspec.Struct, array_like=True):
    """How a node stands on which workers have ended, for an interchange that takes another's place."""

    host: str
    #: How often it has been set aside.
    times_aside: int
    #: How long it gets no tasks yet, in seconds; 0 while it is tried; None when it is used as others are.
    left_s: float | None


class NodeNews(msgspec.Struct, tag=True, array_like=True):
    """A node is set aside, or used again."""

    host: str
    text: str
    #: Whether users are to be told, where they look.
    is_loud: bool
    standing: NodeStanding | None = None


class Register(msgspec.Struct, tag=True, array_like=True):
    """A manager introduces itself. Fields are only added at the end, so that all versions can read it."""

    protocol: int
    manager: str
    parsl_version: str
    python_version: str
    host: str
    block: str
    pid: int
    workers: int
    capacity: int
    #: Tasks that the manager holds already (it is registering again).
    held: list[int] = []
    draining: bool = False
    #: How many nodes it has to give to tasks; 0 where tasks do not ask for nodes.
    nodes: int = 0
    #: How many tasks it will start; None for any number.
    launches: int | None = None
    #: In how many seconds its job will be ended; None if nobody knows.
    ends_in_s: float | None = None
    #: The serial number of the last results that were acknowledged: those after it come (again) now.
    acknowledged: int = 0


class Welcome(msgspec.Struct, tag=True, array_like=True):
    """The answer to a registration."""

    heartbeat_period_s: float


class Refused(msgspec.Struct, tag=True, array_like=True):
    """The manager is not wanted, or not any more; it has to end."""

    reason: str


class Reregister(msgspec.Struct, tag=True, array_like=True):
    """This interchange took another's place and does not know the manager yet."""


class Acknowledged(msgspec.Struct, tag=True, array_like=True):
    """The results up to this serial number have got to the driver."""

    serial: int


class Beat(msgspec.Struct, tag=True, array_like=True):
    """A sign of life, either way."""


class Draining(msgspec.Struct, tag=True, array_like=True):
    """The manager takes no more tasks and leaves when it has none; as an answer: no more will come."""


class Interrupted(msgspec.Struct, tag=True, array_like=True):
    """The manager's connection was interrupted: what was on the way, in either direction, may be lost."""


class ReportHeldTasks(msgspec.Struct, tag=True, array_like=True):
    """Say which tasks you hold: the connection was interrupted, and some may be lost on the way to you."""

    #: To tell answers apart; 0 if only a sign of life is wanted.
    number: int


class Held(msgspec.Struct, tag=True, array_like=True):
    """The tasks that the manager holds now."""

    #: Of the question.
    number: int
    ids: list[int]


class ReportPackages(msgspec.Struct, tag=True, array_like=True):
    """Say which distributions are installed where you are."""


class Packages(msgspec.Struct, tag=True, array_like=True):
    """The installed distributions and their versions."""

    versions: dict[str, str]


class Goodbye(msgspec.Struct, tag=True, array_like=True):
    """The manager ends now; what it holds is lost."""

    reason: str
    #: Its job is being ended.
    is_job_end: bool = False
    #: How long each of its tasks had been running, in seconds; those that are missing had not begun.
    ran_s: dict[int, float] = {}


class Work(msgspec.Struct, array_like=True):
    """A task on its way to a worker, with its function's body if that worker has not seen it."""

    task: Task
    body: bytes | None = None
    #: Size in bytes of a body too large for a packet: it comes as the first frame.
    body_size: int = 0
    #: What to set in the worker's environment while the task runs.
    environment: dict[str, str] | None = None


class Fork(msgspec.Struct, tag=True, array_like=True):
    """Start a worker; its socket comes along as a descriptor."""

    rank: int
    environment: dict[str, str]
    cpus: list[int]
    #: Directory for large payloads; empty for none.
    spool: str = ""
    #: File for the worker's own log; empty for none.
    log_file: str = ""


class End(msgspec.Struct, tag=True, array_like=True):
    """End a worker and all that it started."""

    pid: int
    grace_s: float


class Sweep(msgspec.Struct, tag=True, array_like=True):
    """A worker's task is done: end what it has left behind, but not the worker, and say when it is gone."""

    pid: int
    grace_s: float


class Forked(msgspec.Struct, tag=True, array_like=True):
    """A worker's process is there."""

    rank: int
    pid: int


class Exited(msgspec.Struct, tag=True, array_like=True):
    """A worker has ended, with all that it had started."""

    pid: int
    #: As os.waitstatus_to_exitcode: negative for a signal.
    exit_code: int
    peak_memory: int
    #: Where it was, in Python, when it crashed.
    crash_report: str = ""


class Swept(msgspec.Struct, tag=True, array_like=True):
    """Nothing is left of the task that a worker has done."""

    pid: int


FromDriver = Tasks | Cancel | Query | BlockEnded | HoldBlock | Restored | CleanupCommands | Stop
ToDriver = Ready | Results | Answer | ManagerJoined | ManagerGone | ManagerRefused | NodeNews
FromManager = Register | Results | Beat | Draining | Interrupted | Held | Packages | Goodbye
ToManager = (
    Welcome
    | Refused
    | Reregister
    | Tasks
    | Acknowledged
    | Cancel
    | Beat
    | Draining
    | ReportHeldTasks
    | ReportPackages
    | Stop
)

encode = msgspec.msgpack.Encoder().encode
decode_from_driver = msgspec.msgpack.Decoder(FromDriver).decode
decode_to_driver = msgspec.msgpack.Decoder(ToDriver).decode
decode_from_manager = msgspec.msgpack.Decoder(FromManager).decode
decode_to_manager = msgspec.msgpack.Decoder(ToManager).decode
decode_work = msgspec.msgpack.Decoder(Work).decode
decode_result = msgspec.msgpack.Decoder(Result).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode
decode_to_fork_server = msgspec.msgpack.Decoder(Fork | End | Sweep).decode
decode_from_fork_server = msgspec.msgpack.Decoder(Forked | Exited | Swept).decode

#: What decoders raise.
DecodeError = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def failed(task_id: int, failure: Failure) -> Result:
    """The result of a task that the machinery failed."""
    return Result(task_id, FAILED, encode(failure))
