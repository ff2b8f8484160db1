"""What a stand-in cluster knows: its jobs, its nodes, its rules. Values only.

Everything here survives a trip through JSON: :func:`to_json` writes it, ``…_from_json`` reads it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

#: The states of a job, the same for every scheduler; each dialect has letters or words of its own for them.
QUEUED = "queued"
HELD = "held"
#: Not before a certain time.
WAITING = "waiting"
RUNNING = "running"
SUSPENDED = "suspended"
#: Its processes have ended, its output is on the way.
EXITING = "exiting"
FINISHED = "finished"

#: Holds nodes.
OCCUPYING = (RUNNING, SUSPENDED, EXITING)
#: Has not ended.
ACTIVE = (QUEUED, HELD, WAITING, *OCCUPYING)

#: Why a job ended other than by itself.
DELETED = "deleted"
OVER_WALLTIME = "walltime"
REQUEUED = "requeued"
NODE_FAILED = "node-failed"
ABORTED = "aborted"


class Chunk(NamedTuple):
    """Pieces of a job that are alike, each on one node."""

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
    """A queue and its limits; None where there is none."""

    name: str
    max_walltime_s: float | None = None
    max_nodes: int | None = None
    #: More jobs of a user than this wait.
    max_running_per_user: int | None = None
    #: More jobs of a user than this, running or not, are refused.
    max_queued_per_user: int | None = None
    enabled: bool = True


class Policy(NamedTuple):
    """The rules of a site."""

    #: Empty: a job may name any queue, and there are no limits.
    queues: tuple[Queue, ...] = ()
    #: Where jobs go that name no queue.
    default_queue: str = "workq"
    #: What each job has to have: any of ``account``, ``walltime``, ``filesystems``.
    required: tuple[str, ...] = ()
    #: What becomes of the output of a job that does not say: as the value of ``qsub -k``.
    keep_files: str = "n"
    cpus_per_node: int = 208
    #: Whether managers count workers by the CPUs that a node claims to have, not by those of this host.
    claims_cpus: bool = False
    #: Time between SIGTERM and SIGKILL.
    kill_delay_s: float = 10.0
    #: How much later than promised the walltime is enforced.
    walltime_delay_s: float = 0.0
    #: How long a job is still called running after its script has ended.
    epilogue_s: float = 0.0
    #: A job on a node that died is requeued after this time.
    node_fail_requeue_s: float = 30.0
    #: Whether finished jobs can be asked for.
    history: bool = True
    #: Whether the job's shell reads the user's profile first, as PBS has it.
    login_shell: bool = True


#: Rules in the manner of Aurora: what is mandatory, and queue limits.
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
    """What a cluster is; it does not change."""

    dialect: str
    #: Which version of the scheduler is played.
    flavour: str
    server: str
    login_host: str
    #: The full names of the nodes.
    hosts: tuple[str, ...]
    policy: Policy
    bin_directory: str
    #: The process that the cluster ends with, and when it started (see parsl.common.processes); 0 for none.
    owner_pid: int = 0
    owner_started: float = 0.0


class Job(NamedTuple):
    """A job. Times are seconds since the epoch; 0 means not yet."""

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
    #: None: no limit.
    walltime_s: float | None = None
    #: Resources that are not simulated, with their values.
    resources: tuple[tuple[str, str], ...] = ()
    #: What the user wrote after ``select=``, ``-n`` or the like.
    request: str = ""
    place: str = "scatter"
    #: Whether stdout and stderr go into one file: ``oe``, ``eo``, or ``n``.
    join: str = "n"
    keep: str = "n"
    #: Who holds it: ``u`` the user, ``s`` the system, ``n`` nobody.
    hold: str = "n"
    rerunnable: bool = True
    shell: str = ""
    submit_arguments: str = ""
    #: The command if there is no script.
    executable: str = ""
    not_before_s: float = 0.0
    eligible_s: float = 0.0
    started_s: float = 0.0
    #: When its processes had ended.
    obit_s: float = 0.0
    finished_s: float = 0.0
    placements: tuple[Placement, ...] = ()
    runner_pid: int = 0
    session_id: int = 0
    run_count: int = 0
    exit_status: int | None = None
    #: 1: the output was delivered; 0: it could not be.
    stageout_status: int | None = None
    end_reason: str = ""
    #: What its runner is to do: an end reason, ``suspend`` or ``resume``.
    order: str = ""
    comment: str = ""
    #: The server does not know it any more, though it may run.
    forgotten: bool = False
    #: What the server says its state is, whatever it is; empty: the truth.
    claimed_state: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The job's nodes, each once."""
        return tuple(dict.fromkeys(placement.host for placement in self.placements))

    @property
    def node_count(self) -> int:
        """How many pieces it has."""
        return sum(chunk.pieces for chunk in self.chunks)


class Payload(NamedTuple):
    """What of a job is only needed when it starts or is shown in full."""

    script: str
    #: Names, values, and where each comes from: ``qsub`` itself, ``-v``, or ``-V``.
    variables: tuple[tuple[str, str, str], ...] = ()


def to_json(record: Any) -> str:
    """Write a record as text; its fields by position."""
    return json.dumps(record, separators=(",", ":"))


def job_from_json(text: str) -> Job:
    """Read what :func:`to_json` has made of a job."""
    job = Job._make(json.loads(text))
    return job._replace(
        chunks=tuple(Chunk._make(chunk) for chunk in job.chunks),
        placements=tuple(Placement._make(placement) for placement in job.placements),
        resources=_pairs(job.resources),
    )


def payload_from_json(text: str) -> Payload:
    """Read what :func:`to_json` has made of a payload."""
    payload = Payload._make(json.loads(text))
    return payload._replace(
        variables=tuple((name, value, source) for name, value, source in payload.variables)
    )


def settings_from_json(text: str) -> Settings:
    """Read what :func:`to_json` has made of the settings."""
    settings = Settings._make(json.loads(text))
    policy = Policy._make(settings.policy)
    policy = policy._replace(
        queues=tuple(Queue._make(queue) for queue in policy.queues), required=tuple(policy.required)
    )
    return settings._replace(hosts=tuple(settings.hosts), policy=policy)


def _pairs(values: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in values)
