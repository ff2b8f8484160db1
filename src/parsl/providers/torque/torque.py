"""The provider for Torque, with its commands, and what qstat of Torque and PBS Pro prints about jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import CommandResult
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import AprunLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch import answers
from parsl.providers.batch.answers import Answer, JobRecord, UnreadableAnswer, exit_code_of, text_of
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_walltime, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobState

#: Jobs with their attributes.
Jobs = list[tuple[str, dict[str, Any]]]

_UNKNOWN = re.compile(r"Unknown Job Id(?: Error)? +(?P<id>\d[\w.\[\]-]*)", re.IGNORECASE)
_FINISHED = re.compile(r"(?P<id>\d[\w.\[\]-]*) +Job has finished", re.IGNORECASE)
_JOB_ID = re.compile(r"\d+(?:\[\d*\])?(?:\.[A-Za-z0-9_.-]+)?(?:@[A-Za-z0-9_.-]+)?")
_TIME = re.compile(r"(\d{1,9}):(\d\d):(\d\d)", re.ASCII)
#: The beginning of each job in the forms for people.
RECORD_START = "Job Id: "
#: A line of the user's that requests nodes, such as ``#PBS -l place=scatter,select=2:ncpus=8``.
_NODE_REQUEST = re.compile(
    r"^[ \t]*#PBS[ \t](?:[^#\n]*[ \t])?-l[ \t]*(?:[^\s#]*,)?(?:select|nodes)=(?P<chunks>[^\s,#]+)",
    re.MULTILINE,
)
_FULL_ATTRIBUTE = re.compile(r"    (?P<name>[\w.]+) = (?P<value>.*)")
#: Attributes that follow the job's environment, which may contain any text: the last occurrence counts.
_LATE_ATTRIBUTES = frozenset({"comment", "Exit_status", "exit_status"})

#: The meaning of each state of PBS.
STATES = {
    "B": JobState.RUNNING,  # an array, some of whose jobs have started
    "E": JobState.RUNNING,  # exiting: it still has its nodes, and its output is being transferred
    "H": JobState.HELD,  # by the user, an operator or the system, until it is released
    "M": JobState.PENDING,  # moved to another server, which will report its state
    "Q": JobState.PENDING,
    "R": JobState.RUNNING,
    "S": JobState.RUNNING,  # suspended: it has its nodes, and will continue
    "T": JobState.PENDING,  # in transit from one queue to another
    "U": JobState.RUNNING,  # suspended because a user is active on the workstation
    "W": JobState.PENDING,  # waiting for the time that was set for it
}
#: Final states. In other states, an exit status is that of an earlier attempt.
_ENDED = frozenset({"F", "X", "C"})

_EXIT_WALLTIME = -29
_EXIT_DELETED = 256 + 15  # by SIGTERM
_SUBSTATE_DELETED = 91
_HOLDERS = {"u": "the user", "o": "an operator", "s": "the system", "p": "a bad password"}
_NEVER_RUNS = "can never run"


class Qstat(answers.StatusQuery):
    """Reads the attributes of jobs that ``qstat -f`` prints; only PBS Pro can include ended jobs."""

    unreachable = (
        r"cannot connect to (?:specified )?server|couldn't connect|connection refused|"
        r"network is unreachable|no route to host|errno=15010|connection timed out|"
        r"communication failure|timed? ?out waiting|cannot resolve|unknown host|end of file"
    )
    #: The options that choose the form of the output.
    form: tuple[str, ...] = ()

    def __init__(self, with_history: bool = False) -> None:
        self._options = [*(["-x"] if with_history else []), "-f", *self.form]

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qstat", *self._options, *job_ids]

    def jobs_in(self, stdout: str) -> Jobs:
        """Return the jobs in the output, with or without folded lines, or raise UnreadableAnswer."""
        unfolded = "\n".join(answers.complete_lines(stdout)).replace("\n\t", "") + "\n"
        jobs: Jobs = []
        for line in unfolded.splitlines():
            if line.startswith(RECORD_START):
                jobs.append((line[len(RECORD_START) :].strip(), {}))
            elif jobs and (match := _FULL_ATTRIBUTE.fullmatch(line)):
                keep_attribute(jobs[-1][1], match["name"], match["value"])
        return complete_jobs(jobs)

    def parse(self, result: CommandResult) -> Answer:
        unknown = _unknown_ids(result.stderr)
        try:
            records = [make_record(job_id, attributes) for job_id, attributes in self.jobs_in(result.stdout)]
        except UnreadableAnswer:
            if not result.stdout.strip() and not result.stderr.strip():
                return Answer.unreachable(f"{result.command[0]} answered nothing")
            if not unknown:
                raise
            return Answer.usable((), unknown)
        if not records and not unknown and (result.exit_code != 0 or result.stderr.strip()):
            return Answer.unusable(result)
        return Answer.usable(records, unknown)


class TorqueDialect(Dialect):
    """Torque: qsub, qstat, qdel.

    It forgets a job at its end or a few minutes later, depending on the site (keep_completed).
    """

    submit_program = ("qsub",)
    cancel_program = ("qdel",)
    gone = (
        r"(?:Unknown Job Id(?: Error)?|Job has finished|Request invalid for state of job(?: MSG=\S+)?|"
        r"nonexistent job id:?) +(?P<id>\d[\w.\[\]-]*)"
    )
    transient_refusals = (
        r"would exceed .* limit",  # of jobs in the queue: another one has to end first
        r"maximum number of jobs already in queue",
        r"queue is not (?:enabled|started)",  # as during maintenance
        r"server is shutting down|server is busy|try again",
    )
    permanent_refusals = (
        r"unknown queue",
        r"unknown resource",
        r"is required to be set",  # the rule of a site: filesystems, account, walltime
        r"illegal attribute or resource value",
        r"violates queue and/or server resource limits",
        r"invalid account|invalid project|account .* (?:not valid|invalid|not found|required)",
        r"unauthorized|not authorized|permission denied|access to queue is denied|access denied",
        r"directive error|invalid option|^usage: qsub|illegal -\w value|job name is too long",
        r"script file|no such file",
        r"bad uid|user .* (?:not found|unknown)",
    )
    permanent_exit_codes = frozenset(
        {
            2,  # qsub does not understand its arguments
            166,  # bad value of an attribute
            170,  # unknown queue
            187,  # unknown resource
            188,  # above a limit of the queue
        }
    )
    forgetful_s = 2.0
    status_queries: Sequence[Qstat] = (Qstat(),)
    #: The form in which to list all jobs to find one by its name.
    listing = Qstat()

    def read_job_id(self, stdout: str) -> str | None:
        for line in reversed(stdout.splitlines()):  # hooks of the site may print lines before the id
            if _JOB_ID.fullmatch(line.strip()):
                return line.strip()
        return None

    def find_command(self, name: str) -> list[str]:
        return self.listing.command(())

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        if result.timed_out or result.exit_code != 0:
            return None
        if not result.stdout.strip():
            return []
        try:
            jobs = self.listing.jobs_in(result.stdout)
        except UnreadableAnswer:
            return None
        return [job_id for job_id, attributes in jobs if attributes.get("Job_Name") == name]

    def short_id(self, job_id: str) -> str:
        return short_id(job_id)


def number_of_chunks(node_request: str) -> int:
    """Return how many nodes, or parts of nodes, ``2:ncpus=8+1:ngpus=4`` requests."""
    counts = [chunk.partition(":")[0] for chunk in node_request.split("+")]
    return sum(int(count) if count.isdecimal() else 1 for count in counts)


def short_id(job_id: str) -> str:
    """Return the number of a job (with the brackets of an array), without the name of the server."""
    return job_id.strip().partition(".")[0].partition("@")[0]


def make_record(job_id: str, attributes: Mapping[str, object]) -> JobRecord:
    """Return the record for the attributes of a job."""
    letter = attributes.get("job_state")
    comment = text_of(attributes.get("comment"))
    short = short_id(job_id)
    if letter in _ENDED:
        return _ended(short, attributes, comment)
    state = STATES.get(letter) if isinstance(letter, str) else None
    if state is None:
        return JobRecord(short, JobState.UNKNOWN, f"PBS reports the unknown state {letter!r}")
    if state is JobState.HELD:
        return JobRecord(short, state, _why_held(attributes, comment))
    if state is JobState.PENDING and comment and comment.lower().startswith(_NEVER_RUNS):
        return JobRecord(short, JobState.HELD, comment, can_never_run=True)
    if letter in ("S", "U"):
        comment = f"suspended; {comment}" if comment else "suspended"
    return JobRecord(short, state, comment)


def is_complete(job_id: str, attributes: Mapping[str, object]) -> bool:
    """Return whether a job is complete: a truncated answer may contain a part of one."""
    return _JOB_ID.fullmatch(job_id) is not None and isinstance(attributes.get("job_state"), str)


def complete_jobs(jobs: Jobs) -> Jobs:
    """Return the complete ones of the jobs in an answer; raise UnreadableAnswer if there are none."""
    complete = [(job_id, attributes) for job_id, attributes in jobs if is_complete(job_id, attributes)]
    if not complete:
        raise UnreadableAnswer("there is no job in it")
    return complete


def keep_attribute(attributes: dict[str, Any], name: str, value: str) -> None:
    """Keep the first value of an attribute or, if the attribute follows the environment, the last one."""
    if name in _LATE_ATTRIBUTES or name not in attributes:
        attributes[name] = value


def _ended(short: str, attributes: Mapping[str, object], comment: str | None) -> JobRecord:
    value = attributes.get("Exit_status", attributes.get("exit_status"))
    exit_code = exit_code_of(value)
    is_deleted = exit_code_of(attributes.get("substate")) == _SUBSTATE_DELETED
    if exit_code == _EXIT_WALLTIME or (comment and "exceeded resource walltime" in comment):
        state = JobState.TIMEOUT
    elif not is_deleted and exit_code == _EXIT_DELETED and _has_used_its_time(attributes):
        state = JobState.TIMEOUT  # Torque ends jobs at their walltime like deleted ones
    elif is_deleted or exit_code is None or exit_code == _EXIT_DELETED:
        state = JobState.CANCELLED  # without an exit status, the job was deleted before it ran
    else:
        state = JobState.COMPLETED if exit_code == 0 else JobState.FAILED
    return JobRecord(short, state, comment, exit_code)


def _why_held(attributes: Mapping[str, object], comment: str | None) -> str:
    kinds = text_of(attributes.get("Hold_Types")) or ""
    holders = " and ".join(_HOLDERS[kind] for kind in kinds if kind in _HOLDERS)
    held = f"held by {holders}" if holders else "held"
    return f"{held}: {comment}" if comment else held


def _has_used_its_time(attributes: Mapping[str, object]) -> bool:
    used = _TIME.fullmatch(text_of(attributes.get("resources_used.walltime")) or "")
    limit = _TIME.fullmatch(text_of(attributes.get("Resource_List.walltime")) or "")
    if used is None or limit is None:
        return False
    return [int(part) for part in used.groups()] >= [int(part) for part in limit.groups()]


def _unknown_ids(stderr: str) -> list[str]:
    """Return the jobs that the server does not know or, queried without -x, has only in its history."""
    return [short_id(match["id"]) for rule in (_UNKNOWN, _FINISHED) for match in rule.finditer(stderr)]


class TorqueProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Torque.

    ``walltime`` is ``HH:MM:SS``, ``MM:SS`` or seconds. ``scheduler_options`` are lines such as
    ``"#PBS -l mem=4gb"``. A request of nodes among them, such as ``"#PBS -l nodes=2:ppn=8"``, replaces
    Parsl's own.

    Args:
        account: The account to charge.
        queue: The queue to submit to; None for the server's default.
    """

    account = validate.Custom(one_word)
    queue = validate.Custom(one_word)
    dialect = TorqueDialect()
    header_path = template_next_to(__file__, "header.sh")

    @accepts_retired_provider_arguments
    def __init__(
        self,
        account: str | None = None,
        queue: str | None = None,
        scheduler_options: str = "",
        worker_init: str = "",
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        launcher: Launcher = AprunLauncher(),
        walltime: str = "00:20:00",
        cmd_timeout: float = 120,
    ) -> None:
        self._configure("torque", locals())

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.torque") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "queue": self.queue,
            "account": self.account,
            "walltime": format_walltime(self.walltime_s),
            "resources": None if self.node_request else self._resources(tasks_per_node),
        }

    @property
    def node_request(self) -> str | None:
        """The nodes that ``scheduler_options`` requests, such as ``2:ncpus=8``; None if it requests none."""
        match = _NODE_REQUEST.search(self.scheduler_options)
        return None if match is None else match["chunks"]

    def _resources(self, tasks_per_node: int) -> str:
        return f"nodes={self.nodes_per_block}:ppn={tasks_per_node}"


pass_on_upstream_names(__name__)
