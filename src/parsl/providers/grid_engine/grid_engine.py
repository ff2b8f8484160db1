"""The provider for Grid Engine, with its commands and what they print about jobs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import CommandResult
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.answers import Answer, JobRecord, StatusQuery, complete_lines
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_walltime, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobState

logger = logging.getLogger(__name__)

_PARALLEL_ENVIRONMENT = re.compile(r"^#\$.*\s-pe\s", re.MULTILINE)
_TERSE_ID = re.compile(r"\s*(?P<id>\d+)(?:\.\d+-\d+:\d+)?\s*")
_SUBMITTED = re.compile(r"Your job(?:-array)? (?P<id>\d+)")
_LISTED = re.compile(
    r"\s*(?P<id>\d+)\s+\d+\.\d+\s+\S+\s+\S+\s+(?P<state>[A-Za-z]{1,6})\s+\d\S*\s+\d\S*(?:\s|$)"
)
_NO_SUCH_JOB = re.compile(
    r"do not exist or permissions are not sufficient:\s*(?P<ids>\d[\d\s,]*)", re.IGNORECASE
)
_NO_SUCH_NAME = re.compile("do not exist or permissions are not sufficient", re.IGNORECASE)
_DETAIL_NUMBER = re.compile(r"^job_number:\s+(?P<id>\d+)\s*$", re.MULTILINE)
_DETAIL_ERROR = re.compile(r"^error reason\s+\d*:?\s*(?P<words>.+)$", re.MULTILINE)
_VERIFIED = re.compile(r"verification: (?P<verdict>.+)")
_OBSTACLE = re.compile(r"Job (?P<id>\d+) (?P<words>.+)")
_NEVER_RUNS = "no suitable queues"
_ACCOUNT_LINE = re.compile(r"(?P<name>\w+)\s+(?P<value>.*)")
_ACCOUNT_START = re.compile(r"={10,}")

#: How many reasons a message shows: there is one for each host.
_SHOWN_REASONS = 3

#: A code of the field `failed` of an ended job: 37 is a limit on run or CPU time, 100 any signal.
_FAILED_LIMIT = "37"


class _Query(StatusQuery):
    unreachable = (
        r"unable to (?:contact|send message to) qmaster|commlib error|can't connect to|"
        r"got (?:select|send|read) (?:error|timeout)|unable to initialize environment|"
        r"cell directory .* doesn't exist|connection refused|communication error"
    )


class Qstat(_Query):
    """Reads the table of all jobs of the user."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qstat"]

    def parse(self, result: CommandResult) -> Answer:
        matches = [match for line in complete_lines(result.stdout) if (match := _LISTED.match(line))]
        if result.exit_code != 0 or (result.stdout.strip() and not matches):
            return Answer.unusable(result)
        return Answer.usable(JobRecord(match["id"], *meaning(match["state"])) for match in matches)


class QstatDetails(_Query):
    """Reads the details of one job, or that there is no such job."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qstat", "-j", ",".join(job_ids)]

    def parse(self, result: CommandResult) -> Answer:
        if missing := _NO_SUCH_JOB.search(f"{result.stdout}\n{result.stderr}"):
            return Answer.usable((), re.findall(r"\d+", missing["ids"]))
        number = _DETAIL_NUMBER.search(result.stdout)
        if number is None or result.exit_code != 0:
            return Answer.unusable(result)
        reasons = " ".join(match["words"].strip() for match in _DETAIL_ERROR.finditer(result.stdout))
        if reasons:
            return Answer.usable([JobRecord(number["id"], JobState.HELD, reasons)])
        return Answer.usable([JobRecord(number["id"], JobState.UNKNOWN, "it exists")])


class Qacct(_Query):
    """Reads the accounts of a job that has ended; the last run of the job counts."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qacct", "-j", job_ids[0]]

    def parse(self, result: CommandResult) -> Answer:
        accounts: list[dict[str, str]] = []
        for line in complete_lines(result.stdout):
            if _ACCOUNT_START.fullmatch(line.strip()):
                accounts.append({})
            elif accounts and (match := _ACCOUNT_LINE.match(line)):
                accounts[-1].setdefault(match["name"], match["value"].strip())
        records = [record for account in accounts if (record := _ended(account)) is not None]
        return Answer.usable(records) if records else Answer.unusable(result)


class Qalter(_Query):
    """Reads which jobs would find no queue even in an empty cluster: such a job can never run.

    The output has a line with the verdict for each job, in their order, after lines with the reasons of a
    negative verdict. Queues that are full, disabled or on hosts that are down count as suitable.
    """

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qalter", "-w", "v", ",".join(job_ids)]

    def parse(self, result: CommandResult) -> Answer:
        records: list[JobRecord] = []
        reasons: dict[str, list[str]] = {}
        for line in complete_lines(result.stdout):
            if obstacle := _OBSTACLE.fullmatch(line.strip()):
                reasons.setdefault(obstacle["id"], []).append(obstacle["words"])
            elif verified := _VERIFIED.fullmatch(line.strip()):
                if verified["verdict"] == _NEVER_RUNS and len(reasons) == 1:
                    records += [_never_runs(job_id, words) for job_id, words in reasons.items()]
                reasons = {}
        return Answer.usable(records)


class GridEngineDialect(Dialect):
    """Grid Engine: qsub, qstat, qdel; qacct for how a job has ended, qalter for whether a job can ever run.

    qstat lists all jobs of the user except those that have ended, which qacct knows some seconds later.
    """

    submit_program = ("qsub", "-terse")
    cancel_program = ("qdel",)
    gone = r"job \"?(?P<id>\d+)\"? (?:does not exist|is already in deletion)"
    transient_refusals = (r"only \d+ jobs are allowed|too many jobs|try again",)
    permanent_refusals = (
        r"unknown (?:queue|resource|project|option)|no suitable queues|invalid (?:option|queue|project)",
        r"requested parallel environment|does not exist|no permission|not allowed|denied",
        r"job was rejected",
        r"no such file|unable to read script|wrong number format|ERROR! ",
    )
    batch_size = 1_000_000  # the table contains all jobs in any case
    history_batch_size = 1
    forgetful_s = 20.0
    status_queries = (Qstat(),)
    history_query = Qacct()
    existence_query = QstatDetails()
    detail_query = QstatDetails()
    feasibility_query = Qalter()

    def read_job_id(self, stdout: str) -> str | None:
        for line in reversed(stdout.splitlines()):
            if match := _TERSE_ID.fullmatch(line) or _SUBMITTED.search(line):
                return match["id"]
        return None

    def needs_detail(self, record: JobRecord) -> bool:
        return record.state is JobState.HELD

    def find_command(self, name: str) -> list[str]:
        return ["qstat", "-j", name]

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        if _NO_SUCH_NAME.search(f"{result.stdout}\n{result.stderr}"):
            return []
        if result.timed_out or result.exit_code != 0:
            return None
        return [match["id"] for match in _DETAIL_NUMBER.finditer(result.stdout)]


def meaning(letters: str) -> tuple[JobState, str | None]:
    """Return the state and the message for the letters of a state; each letter has its own meaning."""
    if not set(letters) <= set("acdEhmoqrRsStTwuz"):
        return JobState.UNKNOWN, f"Grid Engine reports the unknown state {letters!r}"
    if "E" in letters:
        return JobState.HELD, "it could not be started, and waits in an error state"
    if "z" in letters:
        return JobState.UNKNOWN, "it has ended"  # only qacct knows how
    if "h" in letters and "q" in letters:
        return JobState.HELD, "held"
    if "q" in letters:
        return JobState.PENDING, None
    if set(letters) & set("rtRsSTd"):
        return JobState.RUNNING, "suspended" if set(letters) & set("sST") else None
    return JobState.UNKNOWN, f"Grid Engine reports the unknown state {letters!r}"


def _never_runs(job_id: str, reasons: list[str]) -> JobRecord:
    words = f"{_NEVER_RUNS}: {'; '.join(sorted(reasons)[:_SHOWN_REASONS])}"
    return JobRecord(job_id, JobState.HELD, words, can_never_run=True)


def _ended(account: dict[str, str]) -> JobRecord | None:
    job_id = account.get("jobnumber", "")
    code = re.match(r"(\d{1,3})(?!\d)", account.get("exit_status", ""))
    failed = account.get("failed", "")
    if not re.fullmatch(r"\d+", job_id, re.ASCII) or code is None or not re.match(r"\d", failed):
        return None
    number = failed.split()[0]
    exit_code = int(code[1])
    deleted_by = account.get("deleted_by", "NONE")
    if number == _FAILED_LIMIT:
        return JobRecord(job_id, JobState.TIMEOUT, failed, exit_code)
    if deleted_by not in ("", "NONE"):
        return JobRecord(job_id, JobState.CANCELLED, f"deleted by {deleted_by}", exit_code)
    if number == "0" and exit_code == 0:
        return JobRecord(job_id, JobState.COMPLETED, None, 0)
    return JobRecord(job_id, JobState.FAILED, None if number == "0" else failed, exit_code)


class GridEngineProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Grid Engine.

    Grid Engine counts slots, not nodes: for a block of several nodes, ``scheduler_options`` has to name a
    parallel environment, as in ``"#$ -pe mpi 64"``.

    ``walltime`` is ``HH:MM:SS``, ``MM:SS`` or seconds. ``scheduler_options`` are lines such as
    ``"#$ -l mem_free=4G"``.

    Args:
        queue: The queue to submit to; None for any.
    """

    queue = validate.Custom(one_word)
    dialect = GridEngineDialect()
    header_path = template_next_to(__file__, "header.sh")

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        worker_init: str = "",
        launcher: Launcher = SingleNodeLauncher(),
        cmd_timeout: float = 60,
        queue: str | None = None,
    ) -> None:
        self._configure("grid_engine", locals())
        if self.nodes_per_block > 1 and not _PARALLEL_ENVIRONMENT.search(self.scheduler_options):
            logger.warning(
                "GridEngineProvider: nodes_per_block is %d, but scheduler_options name no parallel "
                "environment (#$ -pe NAME SLOTS): Grid Engine gives such a job a single slot",
                self.nodes_per_block,
            )

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.sge") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {"queue": self.queue, "walltime": format_walltime(self.walltime_s)}


pass_on_upstream_names(__name__)
