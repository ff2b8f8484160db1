"""The wire format: every message that crosses a process boundary, and nothing else; for those between a
manager and its fork server see fork_orders.py.

A message is one msgpack record (its *head*) followed by any number of raw frames. Users' objects travel as
opaque bytes: small ones inside the head, large ones as frames of their own. No process between driver and
worker opens them. Records are tagged and typed: a decoder refuses what does not match its type. The unions at
the end of this module show which messages travel between which processes.
"""

from __future__ import annotations

import msgspec

from parsl.vocabulary.run_facts import ResourceSample

#: Incremented with every change that an older peer cannot read.
PROTOCOL_VERSION = 5

#: Pickled arguments and results up to this many bytes travel inside the head of their message.
INLINE_LIMIT = 32 * 1024

# Result.status: how a task ended.
DONE = 0  # payload: the pickled result
RAISED = 1  # payload: the pickled exception
FAILED = 2  # payload: a Failure record; the task itself did not end

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
    #: Appended to the launcher's own arguments, quoted for the shell.
    launcher_options: str = ""
    #: Set by the interchange for a task that may share its node: the number of the shared node, which is that
    #: of its first task. None for nodes of the task's own.
    shared_node: int | None = None


class Task(msgspec.Struct, array_like=True, gc=False):
    """One call of one function."""

    id: int
    #: Content name of a function that was sent before; empty when the payload contains its function.
    function: bytes
    #: Pickled arguments; empty when they travel as frames.
    payload: bytes
    #: Sizes in bytes of the frames that belong to this task.
    sizes: tuple[int, ...] = ()
    #: Lower runs first; None runs after every number.
    priority: float | None = None
    walltime_s: float | None = None
    #: Sizes in bytes of its pieces in the spool (see spool.py), if it travels there.
    spooled: tuple[int, ...] = ()
    resources: Resources | None = None
    #: Expected run time (seconds), given by the user; the task does not start where less time is left.
    runtime_s: float | None = None
    #: Where its pickled arguments begin in the arena (see arena.py), and their size in bytes.
    place: tuple[int, int] | None = None

    @property
    def num_nodes(self) -> int:
        """How many nodes the task requests."""
        return 1 if self.resources is None else self.resources.num_nodes

    def fits_in(self, left_s: float) -> bool:
        """Return whether the expected run time, if there is one, is at most this many seconds."""
        return self.runtime_s is None or self.runtime_s <= left_s


class Result(msgspec.Struct, array_like=True, gc=False):
    """How one task ended."""

    id: int
    status: int
    payload: bytes
    sizes: tuple[int, ...] = ()
    #: Sizes in bytes of its pieces in the spool, if it travels there.
    spooled: tuple[int, ...] = ()
    #: What the worker has measured, made by `pack_usage`. Empty if the task was not started, or its worker
    #: was lost.
    usage: bytes = b""


class Failure(msgspec.Struct, omit_defaults=True):
    """Why a task failed through no error of its own: plain data, from which the driver makes an exception."""

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
    #: The manager is gone, perhaps with its job.
    is_manager_gone: bool = False
    #: The job had reached its end, so the task is not to blame.
    is_job_end: bool = False
    #: How long the task had been running (seconds), where known.
    ran_s: float | None = None
    #: Process id of the worker.
    pid: int | None = None


class ManagerInfo(msgspec.Struct):
    """The state of one connected manager, as the interchange sees it."""

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
    #: Nodes that the manager can give to tasks; 0 where tasks do not request nodes.
    nodes: int = 0
    #: Seconds until its job ends; None if unknown.
    ends_in_s: float | None = None
    #: See `Welcome.number`.
    number: int = -1


class NodeSize(msgspec.Struct, array_like=True):
    """What a manager's node has."""

    #: CPUs, whether workers may use all of them or not.
    cpus: int = 0
    #: Bytes of memory.
    memory: int = 0
    #: Names of the accelerators that workers use.
    accelerators: list[str] = []


class Tasks(msgspec.Struct, tag=True, array_like=True):
    """Tasks to run. Their frames follow the head, in the order of the tasks."""

    tasks: list[Task]
    #: Bodies of functions that the receiver does not have yet, by content name.
    functions: dict[bytes, bytes]
    #: To a manager: the serial number up to which its results have reached the driver.
    acknowledged: int = 0


class Results(msgspec.Struct, tag=True, array_like=True):
    """How tasks ended. Their frames follow the head, in the order of the results."""

    results: list[Result]
    #: How many tasks the manager can hold from now on (to the driver: unused).
    capacity: int = 0
    #: A manager numbers these messages from 1 on, and keeps each until it is acknowledged; 0 for a message
    #: that needs no acknowledgement (to the driver: unused).
    serial: int = 0


class Running(msgspec.Struct, array_like=True):
    """A running task: for how long (seconds, at the time of sending), and where."""

    ran_s: float
    worker: int
    #: The manager's number, which the interchange knows.
    manager: int = -1


class Started(msgspec.Struct, tag=True, array_like=True):
    """Tasks have been running for a while and go on. Short tasks are never reported."""

    #: By the task's number.
    tasks: dict[int, Running]


class Dispatched(msgspec.Struct, tag=True, array_like=True):
    """A manager has been sent tasks, or still holds some. Reported only where the observer observes this."""

    manager: int
    #: All tasks that it holds.
    held: list[int]


class Measured(msgspec.Struct, tag=True, array_like=True):
    """What running tasks use, by their numbers."""

    samples: dict[int, ResourceSample]


class Cancel(msgspec.Struct, tag=True, array_like=True):
    """Cancel tasks, queued or running."""

    ids: list[int]


class Query(msgspec.Struct, tag=True, array_like=True):
    """A request of the driver for information: `what` is 'managers' or 'packages'."""

    number: int
    what: str


class Answer(msgspec.Struct, tag=True, array_like=True):
    """The answer to the query of that number; number 0 is an unrequested report on all managers."""

    number: int
    managers: list[ManagerInfo] = []
    packages: dict[str, dict[str, str]] = {}
    #: How many waiting tasks need more time than any of these managers has left, but would fit a new block.
    without_time: int = 0


class BlockEnded(msgspec.Struct, tag=True, array_like=True):
    """A block's job is over according to the scheduler: its managers are gone."""

    block: str


class HoldBlock(msgspec.Struct, tag=True, array_like=True):
    """Stop sending tasks to a block that is about to be cancelled, or resume."""

    block: str
    is_held: bool


class Restored(msgspec.Struct, tag=True, array_like=True):
    """A replacement interchange has now received all tasks that have not ended."""


class CleanupCommands(msgspec.Struct, tag=True, array_like=True):
    """Commands that cancel the driver's jobs, to be run if the driver dies."""

    #: Each a program with its arguments.
    commands: list[list[str]]
    #: Run these before the earlier commands, which stay valid; otherwise these replace the earlier ones.
    is_addition: bool = False


class Stop(msgspec.Struct, tag=True, array_like=True):
    """Exit, and drop all tasks."""

    reason: str


class Ready(msgspec.Struct, tag=True, array_like=True):
    """The interchange has started to serve."""

    pid: int


class ManagerJoined(msgspec.Struct, tag=True, array_like=True):
    """A manager has registered."""

    info: ManagerInfo
    #: A notice for the user about its workers: see `Register.notice`.
    notice: str = ""
    #: Process id of the manager.
    pid: int = 0
    node: NodeSize = msgspec.field(default_factory=NodeSize)


class ManagerGone(msgspec.Struct, tag=True, array_like=True):
    """A manager has left or is lost."""

    manager: str
    block: str
    reason: str


class ManagerRefused(msgspec.Struct, tag=True, array_like=True):
    """The interchange has refused a manager whose versions do not match the driver's."""

    host: str
    block: str
    driver_version: str
    manager_version: str


class NodeStanding(msgspec.Struct, array_like=True):
    """The standing of a node on which workers were lost, kept for a replacement interchange."""

    host: str
    times_quarantined: int
    #: Seconds until the quarantine ends; 0 while the node is on trial; None for a node in good standing.
    left_s: float | None


class NodeChange(msgspec.Struct, tag=True, array_like=True):
    """The standing of a node has changed."""

    host: str
    text: str
    #: Whether to show it to the user as a warning; otherwise it is only logged.
    is_warning: bool
    standing: NodeStanding | None = None


class Register(msgspec.Struct, tag=True, array_like=True):
    """The registration of a manager. New fields go to the end, so that all versions can read it."""

    protocol: int
    manager: str
    parsl_version: str
    python_version: str
    host: str
    block: str
    pid: int
    workers: int
    capacity: int
    #: Tasks that the manager holds already, when it registers again.
    held: list[int] = []
    draining: bool = False
    #: Nodes that the manager can give to tasks; 0 where tasks do not request nodes.
    nodes: int = 0
    #: How many more tasks the manager will start; None for any number.
    launches: int | None = None
    #: Seconds until its job ends; None if unknown.
    ends_in_s: float | None = None
    #: Serial number of the last acknowledged results. The manager sends all later ones again.
    acknowledged: int = 0
    #: A notice for the user, such as that fewer workers run than requested, why, and what to do; else empty.
    notice: str = ""
    node: NodeSize = msgspec.field(default_factory=NodeSize)
    #: The number that it has, when it registers again; -1 for none.
    number: int = -1


class Welcome(msgspec.Struct, tag=True, array_like=True):
    """The interchange has accepted a registration."""

    heartbeat_period_s: float
    #: The manager's number in the executor's run, which it keeps when it registers again.
    number: int = -1


class Refused(msgspec.Struct, tag=True, array_like=True):
    """The interchange has refused the manager, which has to exit."""

    reason: str


class Reregister(msgspec.Struct, tag=True, array_like=True):
    """Register again: this interchange replaces a lost one and does not know the manager yet."""


class Acknowledged(msgspec.Struct, tag=True, array_like=True):
    """The results up to this serial number have reached the driver."""

    serial: int


class Heartbeat(msgspec.Struct, tag=True, array_like=True):
    """Proof that the sender is alive, in either direction."""


class Draining(msgspec.Struct, tag=True, array_like=True):
    """The manager accepts no new tasks and exits after its last one. As the reply: no more will be sent."""


class Interrupted(msgspec.Struct, tag=True, array_like=True):
    """The manager's connection was interrupted: messages in transit, in either direction, may be lost."""


class ReportHeldTasks(msgspec.Struct, tag=True, array_like=True):
    """Report the tasks you hold: the connection was interrupted, and some may have been lost in transit."""

    #: Identifies the reply; 0 for a probe to which any reply will do.
    number: int


class HeldTasks(msgspec.Struct, tag=True, array_like=True):
    """The tasks that the manager holds now."""

    #: Number of the request.
    number: int
    ids: list[int]


class ReportPackages(msgspec.Struct, tag=True, array_like=True):
    """Report the distributions that are installed in your environment."""


class Packages(msgspec.Struct, tag=True, array_like=True):
    """The installed distributions and their versions."""

    versions: dict[str, str]


class Goodbye(msgspec.Struct, tag=True, array_like=True):
    """The manager exits now; the tasks that it holds are lost."""

    reason: str
    #: Its job is being ended by the scheduler.
    is_job_end: bool = False
    #: How long each task had been running (seconds); missing tasks had not started.
    ran_s: dict[int, float] = {}


class Work(msgspec.Struct, array_like=True):
    """A task for a worker, with the body of its function if that worker does not have it yet."""

    task: Task
    body: bytes | None = None
    #: Size in bytes of a body that is too large for a packet and follows as the first frame.
    body_size: int = 0
    #: Variables set in the worker's environment while the task runs.
    environment: dict[str, str] | None = None


# To and from the interchange
FromDriver = Tasks | Cancel | Query | BlockEnded | HoldBlock | Restored | CleanupCommands | Stop
ToDriver = Ready | Results | Dispatched | Started | Measured | Answer
ToDriver |= ManagerJoined | ManagerGone | ManagerRefused | NodeChange
FromManager = Register | Results | Started | Measured | Heartbeat | Draining | Interrupted
FromManager |= HeldTasks | Packages | Goodbye
ToManager = Welcome | Refused | Reregister | Tasks | Acknowledged | Cancel | Heartbeat | Draining
ToManager |= ReportHeldTasks | ReportPackages | Stop
# A `Work` and a `Result` are one packet each between manager and worker, see worker_channel.

encode = msgspec.msgpack.Encoder().encode
decode_from_driver = msgspec.msgpack.Decoder(FromDriver).decode
decode_to_driver = msgspec.msgpack.Decoder(ToDriver).decode
decode_from_manager = msgspec.msgpack.Decoder(FromManager).decode
decode_to_manager = msgspec.msgpack.Decoder(ToManager).decode
decode_work = msgspec.msgpack.Decoder(Work).decode
decode_result = msgspec.msgpack.Decoder(Result).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode

#: The exceptions that decoders raise.
DecodeError = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def failed(task_id: int, failure: Failure) -> Result:
    """Make the result of a task that failed through no error of its own."""
    return Result(task_id, FAILED, encode(failure))
