"""The provider for IBM Spectrum LSF, with its commands and what they print about jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import CommandResult
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.answers import Answer, JobRecord, StatusQuery, complete_lines, exit_code_of
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_minutes, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobState

_SUBMITTED = re.compile(r"Job <(?P<id>\d+)> is submitted")
_NOT_FOUND = re.compile(r"Job <(?P<id>\d+)(?:\[\d+\])?> is not found", re.IGNORECASE)
_NO_SUCH_NAME = re.compile(r"Job <[^>]*> is not found|No unfinished job found", re.IGNORECASE)
_JOB_ID = re.compile(r"\d+(?:\[\d+\])?")

#: The meaning of each state of LSF.
STATES = {
    "DONE": JobState.COMPLETED,
    "EXIT": JobState.FAILED,  # or cancelled, depending on the reason
    "PEND": JobState.PENDING,
    "PROV": JobState.PENDING,  # its host is being started
    "PSUSP": JobState.HELD,  # until a user resumes it
    "RUN": JobState.RUNNING,
    "SSUSP": JobState.RUNNING,  # suspended by LSF, which resumes it
    "USUSP": JobState.RUNNING,  # suspended by its owner; it will continue
    "UNKWN": JobState.UNKNOWN,  # LSF has lost contact with its host
    "WAIT": JobState.PENDING,  # a part of a chunk
    "ZOMBI": JobState.UNKNOWN,  # killed while LSF had lost contact with its host
}
_TIMEOUTS = ("TERM_RUNLIMIT", "TERM_DEADLINE", "TERM_CPULIMIT")
_CANCELS = ("TERM_OWNER", "TERM_ADMIN", "TERM_FORCE_OWNER", "TERM_FORCE_ADMIN")
#: The reason of a pending job that can never run. Reasons that concern hosts may pass.
_NEVER_RUNS = re.compile(r"dependency condition (?:is )?invalid or never satisfied", re.IGNORECASE)
_NO_VALUE = frozenset({"", "-"})
_COLUMNS = "jobid stat exit_code exit_reason pend_reason delimiter='|'"


class Bjobs(StatusQuery):
    """Reads ``id|STATE|exit code|exit reason|pending reason`` lines."""

    unreachable = (
        r"LSF is down|batch daemon not responding|failed in an LSF library call|"
        r"cannot connect to LSF|communication time ?out|slave LIM|mbatchd .* not responding|please wait"
    )

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["bjobs", "-a", "-noheader", "-o", _COLUMNS, *job_ids]

    def parse(self, result: CommandResult) -> Answer:
        records = []
        for line in complete_lines(result.stdout):
            fields = [field.strip() for field in line.split("|")]
            if len(fields) >= 4 and _JOB_ID.fullmatch(fields[0]):
                records.append(_make_record(fields))
        unknown = [match["id"] for match in _NOT_FOUND.finditer(f"{result.stderr}\n{result.stdout}")]
        if not records and not unknown and (result.exit_code != 0 or result.stdout.strip()):
            return Answer.unusable(result)
        return Answer.usable(records, unknown)


class LSFDialect(Dialect):
    """LSF: bsub, bjobs, bkill. It forgets a job an hour after its end (CLEAN_PERIOD)."""

    submit_program = ("bsub",)
    cancel_program = ("bkill",)
    gone = r"Job <(?P<id>\d+)>: (?:No matching job found|Job has already finished)"
    transient_refusals = (r"job threshold reached|job limit .* reached|queue .* (?:closed|inactive)",)
    permanent_refusals = (
        r"no such queue|no such project|bad (?:queue|project|host|resource|user)",
        r"user cannot use|cannot submit|permission denied|not authorized",
        r"cannot exceed queue's|hard limit|runlimit",
        r"illegal option|unknown option|bad argument|option syntax|unknown host",
        r"no such file",
    )
    forgetful_s = 5.0
    status_queries = (Bjobs(),)

    def __init__(self, reads_stdin: bool) -> None:
        self._reads_stdin = reads_stdin

    def submit_command(self, path: str) -> list[str]:
        return [*self.submit_program] if self._reads_stdin else super().submit_command(path)

    def submit_stdin(self, text: str) -> str | None:
        return text if self._reads_stdin else None

    def read_job_id(self, stdout: str) -> str | None:
        match = _SUBMITTED.search(stdout)
        return match["id"] if match else None

    def find_command(self, name: str) -> list[str]:
        return ["bjobs", "-noheader", "-o", "jobid", "-J", name]

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        if _NO_SUCH_NAME.search(result.stderr):
            return []
        if result.timed_out or result.exit_code != 0:
            return None
        return [line.strip() for line in complete_lines(result.stdout) if _JOB_ID.fullmatch(line.strip())]


def _make_record(fields: list[str]) -> JobRecord:
    job_id, state_name, code, reason = fields[:4]
    state = STATES.get(state_name, JobState.UNKNOWN)
    words = "; ".join(field for field in fields[3:] if field not in _NO_VALUE)
    if state is JobState.UNKNOWN:
        words = f"LSF reports the state {state_name!r}" + (f": {words}" if words else "")
    elif state is JobState.FAILED and any(name in reason for name in _TIMEOUTS):
        state = JobState.TIMEOUT
    elif state is JobState.FAILED and any(name in reason for name in _CANCELS):
        state = JobState.CANCELLED
    never_runs = state is JobState.PENDING and _NEVER_RUNS.search(words) is not None
    if never_runs:
        state = JobState.HELD
    exit_code = 0 if state is JobState.COMPLETED else exit_code_of(code)
    has_ended = state_name in ("DONE", "EXIT")
    return JobRecord(job_id, state, words or None, exit_code if has_ended else None, never_runs)


class LSFProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of LSF.

    A block is requested as a number of nodes or, with ``request_by_nodes=False``, of cores.

    ``walltime`` is ``HH:MM:SS``, ``HH:MM`` or minutes. ``scheduler_options`` are lines such as
    ``"#BSUB -alloc_flags smt4"``.

    Args:
        cores_per_block: Cores of one block, if blocks are requested by cores.
        cores_per_node: Cores on each node, if blocks are requested by cores.
        project: The project to charge.
        queue: The queue to submit to; None for the default.
        bsub_redirection: Whether bsub reads the job script from its standard input, as most sites require.
        request_by_nodes: Whether to request blocks by nodes rather than by cores.
    """

    cores_per_block = validate.Integer(low=1, optional=True)
    cores_per_node = validate.Integer(low=1, optional=True)
    project = validate.Custom(one_word)
    queue = validate.Custom(one_word)
    bsub_redirection = validate.Boolean()
    request_by_nodes = validate.Boolean()

    walltime_bare_unit = "minute"
    walltime_pair_unit = "hour"
    header_path = template_next_to(__file__, "header.sh")

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        cores_per_block: int | None = None,
        cores_per_node: int | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        worker_init: str = "",
        project: str | None = None,
        queue: str | None = None,
        cmd_timeout: float = 120,
        bsub_redirection: bool = False,
        request_by_nodes: bool = True,
        launcher: Launcher = SingleNodeLauncher(),
    ) -> None:
        self._configure("LSF", locals())
        if not self.request_by_nodes:
            self._derive_nodes_from_cores()
        self.dialect = LSFDialect(self.bsub_redirection)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.lsf") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "walltime": format_minutes(self.walltime_s),
            "project": self.project,
            "queue": self.queue,
            "nodes": str(self.nodes_per_block) if self.request_by_nodes else None,
            "cores_per_block": None if self.request_by_nodes else str(self.cores_per_block),
            "cores_per_node": None if self.request_by_nodes else str(self.cores_per_node),
        }

    def _derive_nodes_from_cores(self) -> None:
        for name in ("cores_per_block", "cores_per_node"):
            if getattr(self, name) is None:
                expected = "an integer >= 1, as blocks are requested by cores (request_by_nodes=False)"
                validate.wrong_value(self, name, None, expected)
        cores_per_block, cores_per_node = self.cores_per_block or 1, self.cores_per_node or 1
        self.nodes_per_block = -(-cores_per_block // cores_per_node)


pass_on_upstream_names(__name__)
