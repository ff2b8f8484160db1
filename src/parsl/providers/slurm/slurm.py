"""The provider for Slurm, with its commands and what they print about jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import CommandResult
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SimpleLauncher, SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.answers import Answer, JobRecord, StatusQuery, complete_lines
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import double_quoted, template_next_to
from parsl.providers.batch.parameters import format_walltime, one_line, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

_INVALID_ID = re.compile(r"invalid job id(?: specified)?", re.IGNORECASE)

#: The meaning of each state of Slurm.
STATES = {
    "BOOT_FAIL": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "COMPLETED": JobState.COMPLETED,
    "COMPLETING": JobState.RUNNING,  # it still has its nodes
    "CONFIGURING": JobState.RUNNING,  # it has its nodes, which are booting
    "DEADLINE": JobState.TIMEOUT,  # a deadline was set for it
    "EXPEDITING": JobState.PENDING,
    "FAILED": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "NODE_FAIL": JobState.FAILED,
    "OUT_OF_MEMORY": JobState.FAILED,
    "PENDING": JobState.PENDING,
    "PREEMPTED": JobState.CANCELLED,  # ended in favour of another job; if requeued, it is PENDING
    "RECONFIG_FAIL": JobState.FAILED,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.HELD,
    "RESIZING": JobState.RUNNING,
    "RESV_DEL_HOLD": JobState.HELD,  # its reservation has been deleted
    "REVOKED": JobState.MISSING,  # another cluster of the federation runs it
    "RUNNING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "SPECIAL_EXIT": JobState.HELD,  # requeued and held, because of its exit code
    "STAGE_OUT": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,  # by a signal; it has its CPUs
    "SUSPENDED": JobState.RUNNING,  # it will continue
    "TIMEOUT": JobState.TIMEOUT,
    "UPDATE_DB": JobState.PENDING,
}

#: Reasons of a pending job that is held until a user releases it.
_IS_HELD = re.compile(
    r"JobHeld\w*|JobHoldMaxRequeue|launch_failed_requeued_held|job_requeued_in_held_state", re.IGNORECASE
)
#: Reasons of a pending job that can never run as submitted.
_NEVER_RUNS = re.compile(
    r"DependencyNeverSatisfied|PartitionNodeLimit|PartitionTimeLimit|BadConstraints|"
    r"AccountNotAllowed|QOSNotAllowed|QOSMaxWallDurationPerJobLimit|QOSMaxNodePerJobLimit|"
    r"QOSMaxCpuPerJobLimit|Assoc(?:Max|Grp)WallDurationPerJobLimit|AssocMaxWallDurationPerJobLimit|"
    r"AssocMaxNodePerJobLimit|AssocMaxCpuPerJobLimit|InvalidAccount|InvalidQOS|ReservationDeleted",
    re.IGNORECASE,
)
_JOB_ID = re.compile(r"\d+(?:_\[?[\d,%-]+\]?|\+\d+)?")
#: A line of the user's with the CPUs of each of Slurm's tasks.
_CPUS_PER_TASK = re.compile(
    r"^[ \t]*#SBATCH[ \t](?:[^#\n]*[ \t])?(?:--cpus-per-task[ \t=]|-c)[ \t]*(\d+)", re.MULTILINE | re.ASCII
)
_DETAIL = re.compile(r"(?:^|\s)(?P<name>JobId|JobState|Reason|ExitCode)=(?P<value>\S+)")
_NO_REASON = frozenset({"", "None", "(null)"})


class SlurmDialect(Dialect):
    """Slurm: sbatch, squeue, scancel; sacct and scontrol for how a job has ended.

    squeue forgets a job a few minutes after its end (MinJobAge); sacct, where it is available, does not.
    """

    submit_program = ("sbatch",)
    cancel_program = ("scancel",)
    gone = r"job id[: ]+(?P<id>\d\S*?):? +(?:Invalid job id|Job/step already complet)"
    transient_refusals = (
        r"job violates accounting/QOS policy",  # often a limit on jobs in the queue
        r"reached .* limit|submit limit",
        r"partition .* (?:down|drain|inactive)|required partition not available",
    )
    permanent_refusals = (
        r"invalid partition|invalid account|invalid qos|invalid (?:job )?reservation",
        r"invalid (?:feature|generic resource|gres|constraint|cluster)|invalid license",
        r"requested (?:node configuration|time limit|partition configuration)",
        r"node count specification invalid|more processors requested|too many nodes",
        r"user's group not permitted|access/permission denied|access denied|invalid user",
        r"unrecognized option|invalid option|unknown option|invalid directive|ambiguous option",
        r"unable to open file|this does not look like a batch script|script is empty",
        r"invalid .* specification|can't find address for cluster|no cluster|memory specification",
    )

    def __init__(self, job_id_pattern: str, clusters: str | None = None) -> None:
        self._job_id_pattern = job_id_pattern
        self._clusters = [f"--clusters={clusters}"] if clusters else []
        self.status_queries = (Squeue(self._clusters),)
        self.history_query = Sacct(self._clusters)
        self.detail_query = Scontrol(self._clusters)

    def read_job_id(self, stdout: str) -> str | None:
        for line in stdout.splitlines():
            if (match := re.search(self._job_id_pattern, line)) and match["id"]:
                return match["id"].strip()
        return None

    def needs_detail(self, record: JobRecord) -> bool:
        return record.state is JobState.FAILED and record.exit_code is None

    def find_command(self, name: str) -> list[str]:
        return ["squeue", *self._clusters, "--noheader", "--format=%i", f"--name={name}"]

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        if result.timed_out or result.exit_code != 0:
            return None
        return [line.strip() for line in complete_lines(result.stdout) if _JOB_ID.fullmatch(line.strip())]

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return [*self.cancel_program, *self._clusters, *map(short_id, job_ids)]

    def short_id(self, job_id: str) -> str:
        return short_id(job_id)


class _SlurmQuery(StatusQuery):
    unreachable = (
        r"unable to contact slurm controller|socket timed out|connect failure|connection refused|"
        r"zero bytes were transmitted|network is unreachable|no route to host|"
        r"slurm_persist_conn_open|munge|authentication error|"
        r"problem talking to database|sending persistmsgtype|temporarily unable"
    )

    def __init__(self, clusters: Sequence[str] = ()) -> None:
        self._clusters = clusters


class Squeue(_SlurmQuery):
    """Reads ``id|STATE|reason`` lines."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        options = ("--noheader", "--states=all", "--format=%i|%T|%r", f"--jobs={_comma_separated(job_ids)}")
        return ["squeue", *self._clusters, *options]

    def parse(self, result: CommandResult) -> Answer:
        records = []
        for line in complete_lines(result.stdout):
            job_id, _, rest = line.strip().partition("|")
            state, _, reason = rest.partition("|")
            if _JOB_ID.fullmatch(job_id) and re.fullmatch(r"[A-Z_]+", state):
                records.append(make_record(job_id, state, reason))
        if records or result.exit_code == 0:
            return Answer.usable(records)
        if not _INVALID_ID.search(result.stderr):
            return Answer.unusable(result)
        return Answer.usable((), _single_id(result.command))


class Sacct(_SlurmQuery):
    """Reads ``id|STATE by user|exit:signal|`` lines."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        columns = "--format=jobid,state%30,exitcode"
        options = ("-X", "--noheader", "--parsable", columns, f"--jobs={_comma_separated(job_ids)}")
        return ["sacct", *self._clusters, *options]

    def parse(self, result: CommandResult) -> Answer:
        if result.exit_code != 0:
            return Answer.unusable(result)
        records = []
        for line in complete_lines(result.stdout):
            fields = line.strip().split("|")
            if len(fields) >= 3 and _JOB_ID.fullmatch(fields[0]) and fields[1]:
                state_name, _, user = fields[1].partition(" ")
                records.append(make_record(fields[0], state_name, user, fields[2]))
        return Answer.usable(records)


class Scontrol(_SlurmQuery):
    """Reads the ``name=value`` pairs of one line per job."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["scontrol", *self._clusters, "-o", "show", "job", _comma_separated(job_ids)]

    def parse(self, result: CommandResult) -> Answer:
        records = []
        for line in complete_lines(result.stdout):
            details = {match["name"]: match["value"] for match in _DETAIL.finditer(line)}
            job_id, state_name, code = map(details.get, ("JobId", "JobState", "ExitCode"))
            if job_id and state_name and code and _JOB_ID.fullmatch(job_id):
                records.append(make_record(job_id, state_name, details.get("Reason", ""), code))
        return Answer.usable(records) if records else Answer.unusable(result)


def short_id(job_id: str) -> str:
    """Return a job's number, without the name of the cluster."""
    return job_id.strip().partition(";")[0].partition("@")[0]


def make_record(job_id: str, state_name: str, reason: str, exit_text: str | None = None) -> JobRecord:
    """Return the record for a state, a reason and, except from squeue, an exit code, as Slurm prints them."""
    words = "" if reason in _NO_REASON else reason
    state = STATES.get(state_name)
    if state is None:
        return JobRecord(job_id, JobState.UNKNOWN, f"Slurm reports the unknown state {state_name!r}")
    never_runs = state is JobState.PENDING and _NEVER_RUNS.search(words) is not None
    if never_runs or (state is JobState.PENDING and _IS_HELD.search(words)):
        state = JobState.HELD
    if STATES[state_name].name != state_name:
        words = f"{state_name}: {words}" if words else state_name
    exit_code = 0 if state is JobState.COMPLETED else None
    if exit_text is not None and state in TERMINAL_STATES:
        exit_code = _exit_code(exit_text)
    return JobRecord(job_id, state, words or None, exit_code, never_runs)


def _comma_separated(job_ids: Sequence[str]) -> str:
    return ",".join(map(short_id, job_ids))


def _exit_code(value: str) -> int | None:
    """Return the exit code for ``code:signal``; a signal n is 128 + n, as in a shell."""
    match = re.fullmatch(r"(\d{1,5}):(\d{1,3})", value, re.ASCII)
    if match is None:
        return None
    code, signal = int(match[1]), int(match[2])
    return 128 + signal if signal and not code else code


def _single_id(command: Sequence[str]) -> list[str]:
    """Return the job that a squeue command queries, if it is only one: squeue does not name unknown jobs."""
    for word in command:
        name, _, ids = word.partition("=")
        if name == "--jobs" and "," not in ids:
            return [short_id(ids)]
    return []


def _check_job_id_pattern(owner: object, name: str, value: object) -> str:
    pattern = validate.text(owner, name, value, allow_empty=False)
    expected = "a regular expression with a group named id, as in '(?P<id>[0-9]+)'"
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        validate.wrong_value(owner, name, value, f"{expected} ({error})")
    if "id" not in groups:
        validate.wrong_value(owner, name, value, expected)
    return pattern


class SlurmProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Slurm.

    ``walltime`` is ``HH:MM:SS``, ``MM:SS``, ``D-HH``, ``D-HH:MM:SS`` or minutes. ``scheduler_options`` are
    lines such as ``"#SBATCH --mem=4g"``.

    ``cores_per_node`` requests ``--cpus-per-task``. With a SimpleLauncher, as for an MPIExecutor, it requests
    ``--ntasks-per-node`` instead, so that each core can have a rank.

    Args:
        partition: The partition to submit to; None for the cluster's default.
        account: The account to charge.
        qos: The quality of service to request.
        constraint: Features that the nodes must have, such as ``"gpu"``.
        clusters: The clusters to submit to, separated by commas.
        cores_per_node: Cores to request on each node; this limits the workers.
        mem_per_node: Memory to request on each node, in GB; this limits the workers.
        gpus_per_node: GPUs to request on each node.
        gres: Other generic resources, such as ``"gpu:2"``.
        regex_job_id: A regular expression for the output of sbatch; its group ``id`` is the job's id.
        status_batch_size: How many jobs to query with one command.
        exclusive: Whether to request nodes that run no other jobs.
    """

    partition = validate.Custom(one_word)
    account = validate.Custom(one_word)
    qos = validate.Custom(one_word)
    constraint = validate.Custom(one_line)
    clusters = validate.Custom(one_word)
    cores_per_node = validate.Integer(low=1, optional=True)
    mem_per_node = validate.Number(above=0, optional=True)
    gpus_per_node = validate.Integer(low=0, optional=True)
    gres = validate.Custom(one_word)
    regex_job_id = validate.Custom(_check_job_id_pattern)
    status_batch_size = validate.Integer(low=1)
    exclusive = validate.Boolean()

    walltime_bare_unit = "minute"
    header_path = template_next_to(__file__, "header.sh")
    redirects_output = False

    @accepts_retired_provider_arguments
    def __init__(
        self,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        clusters: str | None = None,
        nodes_per_block: int = 1,
        cores_per_node: int | None = None,
        mem_per_node: int | None = None,
        gpus_per_node: int | None = None,
        gres: str | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        regex_job_id: str = r"Submitted batch job (?P<id>\S*)",
        worker_init: str = "",
        cmd_timeout: float = 10,
        status_batch_size: int = 50,
        exclusive: bool = True,
        launcher: Launcher = SingleNodeLauncher(),
    ) -> None:
        self._configure("slurm", locals())
        self.dialect = SlurmDialect(self.regex_job_id, self.clusters)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.slurm") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def status_batch_limit(self) -> int:
        return self.status_batch_size

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        cores, memory_gb = self.cores_per_node, self.mem_per_node
        tasks, cpus_per_task = self._shares(tasks_per_node)
        return {
            "output": _output_pattern(files.stdout_path),
            "error": _output_pattern(files.stderr_path),
            "nodes": str(self.nodes_per_block),
            "walltime": format_walltime(self.walltime_s),
            "tasks_per_node": str(tasks),
            "exclusive": "" if self.exclusive else None,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": None if self.constraint is None else f'"{self.constraint}"',
            "clusters": self.clusters,
            "gpus_per_node": str(self.gpus_per_node) if self.gpus_per_node else None,
            "gres": self.gres,
            "mem": None if memory_gb is None else f"{round(memory_gb * 1024)}M",
            "cpus_per_task": None if cpus_per_task is None else str(cpus_per_task),
            "memory_gb": None if memory_gb is None else str(memory_gb),
            "cores": None if cores is None else str(cores),
        }

    def _shares(self, tasks_per_node: int) -> tuple[int, int | None]:
        """Return how many tasks of Slurm's a node has, and the CPUs of each; None for Slurm's default.

        A SimpleLauncher starts no task of Slurm's for the managers. The tasks are then the ranks of MPI
        programs, and one with all CPUs of a node would leave none to the others.
        """
        cores = self.cores_per_node
        if cores is None:
            return tasks_per_node, None
        if not isinstance(self.launcher, SimpleLauncher):
            return tasks_per_node, max(1, cores // tasks_per_node)
        requested = _CPUS_PER_TASK.search(self.scheduler_options)
        return max(1, cores // max(1, int(requested[1]) if requested else 1)), None


def _output_pattern(path: str) -> str:
    """Return a path for an output file, in whose name Slurm replaces % and the character that follows."""
    return double_quoted(path.replace("%", "%%"))


pass_on_upstream_names(__name__)
