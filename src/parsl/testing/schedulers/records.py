"""The records of a stand-in cluster: jobs, nodes and rules as values."""

from __future__ import annotations

from typing import NamedTuple

#: The states of a job. Each dialect translates them into its own letters or words.
QUEUED = "queued"
HELD = "held"
#: Must not start before a certain time.
WAITING = "waiting"
RUNNING = "running"
SUSPENDED = "suspended"
#: The processes have ended; the output is being copied.
EXITING = "exiting"
FINISHED = "finished"

#: The states in which a job holds nodes.
OCCUPYING = (RUNNING, SUSPENDED, EXITING)
#: The states of a job that has not ended.
ACTIVE = (QUEUED, HELD, WAITING, *OCCUPYING)

#: The reasons why a scheduler ends a job.
DELETED = "deleted"
OVER_WALLTIME = "walltime"
REQUEUED = "requeued"
NODE_FAILED = "node-failed"
ABORTED = "aborted"


#: The flavours of PBS: a release, and its main branch.
RELEASE = "v23.06.06"
MAIN = "main-2026-04"


class Chunk(NamedTuple):
    """Identical pieces of a job, each on one node."""

    pieces: int
    cpus: int
    #: Lines in the node file for each piece.
    processes: int = 1


class Placement(NamedTuple):
    """One piece of a job on a node."""

    host: str
    cpus: int
    processes: int = 1


class Queue(NamedTuple):
    """A queue and its limits; None means no limit."""

    name: str
    max_walltime_s: float | None = None
    max_nodes: int | None = None
    #: Further jobs of the same user wait.
    max_running_per_user: int | None = None
    #: Further jobs of the same user are refused; this counts running and waiting jobs.
    max_queued_per_user: int | None = None
    enabled: bool = True


class Policy(NamedTuple):
    """The rules of a site."""

    #: If empty, a job may name any queue, and there are no limits.
    queues: tuple[Queue, ...] = ()
    #: The queue of jobs that name none.
    default_queue: str = "workq"
    #: What each job must specify: any of ``account``, ``walltime``, ``filesystems``.
    required: tuple[str, ...] = ()
    #: The default of ``qsub -k``.
    keep_files: str = "n"
    cpus_per_node: int = 208
    #: Whether managers count workers by the CPUs of the simulated node instead of those of this host.
    claims_cpus: bool = False
    #: The time between SIGTERM and SIGKILL.
    kill_delay_s: float = 10.0
    #: How much later than stated the walltime is enforced.
    walltime_delay_s: float = 0.0
    #: How long a job is still reported as running after its script has ended.
    epilogue_s: float = 0.0
    #: The time after which a job on a dead node is requeued.
    node_fail_requeue_s: float = 30.0
    #: Whether the server keeps finished jobs.
    history: bool = True
    #: Whether the job's shell reads the user's profile first, as in PBS.
    login_shell: bool = True


#: Rules like those of Aurora: required options and queue limits.
AURORA_POLICY = Policy(
    queues=(
        Queue("debug", max_walltime_s=3600, max_nodes=2, max_running_per_user=1),
        Queue("debug-scaling", max_walltime_s=3600, max_nodes=31, max_running_per_user=1),
        Queue("capacity", max_walltime_s=7 * 86400, max_nodes=16),
        Queue("prod", max_walltime_s=86400),
        Queue("lustre_scaling", max_walltime_s=6 * 3600),
    ),
    default_queue="debug",
    required=("account", "walltime", "filesystems"),
    keep_files="doe",
    claims_cpus=True,
)


class Settings(NamedTuple):
    """The fixed properties of a cluster."""

    #: The class of the dialect, as ``module:class``.
    dialect: str
    #: The simulated version of the scheduler.
    flavour: str
    server: str
    login_host: str
    #: The full names of the nodes.
    hosts: tuple[str, ...]
    policy: Policy
    bin_directory: str
    #: The process that owns the cluster, and when it started (see parsl.common.processes); 0 for none.
    owner_pid: int = 0
    owner_started: float = 0.0
    #: The directories from which the cluster's processes import.
    import_paths: tuple[str, ...] = ()


class Job(NamedTuple):
    """A job. Times are in seconds since the epoch; 0 means not yet."""

    number: int
    name: str
    owner: str
    queue: str
    chunks: tuple[Chunk, ...]
    workdir: str
    output_path: str
    error_path: str
    created_s: float
    modified_s: float
    state: str = QUEUED
    account: str = ""
    #: None means no limit.
    walltime_s: float | None = None
    #: The resources that the stand-in only records, with their values.
    resources: tuple[tuple[str, str], ...] = ()
    #: What the user wrote after ``select=``, ``-n`` or similar options.
    request: str = ""
    place: str = "scatter"
    #: Whether stdout and stderr go into one file: ``oe``, ``eo``, or ``n``.
    join: str = "n"
    keep: str = "n"
    #: The hold: ``u`` by the user, ``s`` by the system, ``n`` none.
    hold: str = "n"
    rerunnable: bool = True
    shell: str = ""
    submit_arguments: str = ""
    #: The command of a job without a script.
    executable: str = ""
    not_before_s: float = 0.0
    started_s: float = 0.0
    #: When the processes had ended.
    obit_s: float = 0.0
    finished_s: float = 0.0
    placements: tuple[Placement, ...] = ()
    runner_pid: int = 0
    session_id: int = 0
    run_count: int = 0
    exit_status: int | None = None
    #: 1 if the output was delivered, 0 if that failed.
    stageout_status: int | None = None
    end_reason: str = ""
    #: The order to the runner: an end reason, ``suspend`` or ``resume``.
    order: str = ""
    comment: str = ""
    #: Whether the server denies that it knows the job, which may still run.
    forgotten: bool = False
    #: The state that the server reports instead of the real one; empty for the real one.
    claimed_state: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The job's nodes without repetitions."""
        return tuple(dict.fromkeys(placement.host for placement in self.placements))

    @property
    def node_count(self) -> int:
        """The number of pieces."""
        return sum(chunk.pieces for chunk in self.chunks)


class Payload(NamedTuple):
    """The part of a job that is only needed at its start and in full answers."""

    script: str
    #: Names, values and sources: ``qsub`` itself, ``-v`` or ``-V``.
    variables: tuple[tuple[str, str, str], ...] = ()
