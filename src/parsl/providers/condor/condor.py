"""The provider for HTCondor, with its commands and what they print about jobs."""

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
from parsl.providers.batch import answers
from parsl.providers.batch.answers import Answer, JobRecord, StatusQuery, UnreadableAnswer
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import fill_template, template_next_to
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobState

_MB_PER_GB = 1024
_ATTRIBUTES = (
    "ClusterId,ProcId,JobStatus,ExitCode,ExitBySignal,ExitSignal,HoldReason,RemoveReason,EnteredCurrentStatus"
)
_FORMAT = ("-json", "-attributes", _ATTRIBUTES)
_SUBMITTED = re.compile(r"\d+ job\(s\) submitted to cluster (?P<id>\d+)")

#: The meaning of each state of HTCondor.
STATES = {
    1: JobState.PENDING,  # idle
    2: JobState.RUNNING,
    3: JobState.CANCELLED,  # removed; its machine may not know that yet
    4: JobState.COMPLETED,  # or failed, depending on its exit code
    5: JobState.HELD,  # until a user releases it
    6: JobState.RUNNING,  # its output is being transferred
    7: JobState.RUNNING,  # suspended; it will continue
}


class CondorQ(StatusQuery):
    """Reads the JSON of jobs in the queue."""

    unreachable = (
        r"can't find address of (?:local )?schedd|failed to (?:connect|fetch ads)|unable to connect|"
        r"connection refused|error connecting|timeout|SECMAN:|CEDAR:"
    )

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_q", *job_ids, *_FORMAT]

    def parse(self, result: CommandResult) -> Answer:
        jobs = parse_jobs(result.stdout)
        if result.exit_code != 0 and not jobs:
            return Answer.unusable(result)
        return Answer.usable(make_record(job) for job in jobs)


class CondorQExistence(CondorQ):
    """Reads the JSON of single jobs: an answer without the job means that the job is not in the queue."""

    def parse(self, result: CommandResult) -> Answer:
        answer = super().parse(result)
        if answer.problem or answer.records:
            return answer
        return Answer.usable((), [word for word in result.command if re.fullmatch(r"\d+\.\d+", word)])


class CondorHistory(CondorQ):
    """Reads the JSON of jobs that have left the queue."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_history", *job_ids, "-limit", str(len(job_ids)), *_FORMAT]


class CondorDialect(Dialect):
    """HTCondor: condor_submit, condor_q, condor_rm; condor_history for jobs that have left the queue.

    A job's id consists of its cluster and its process, as in ``"12.0"``.
    """

    submit_program = ("condor_submit",)
    cancel_program = ("condor_rm",)
    gone = r"[Jj]ob (?P<id>\d+\.\d+) (?:not found|has already|is already)"
    transient_refusals = (r"max_jobs|too many|try again",)
    permanent_refusals = (
        r"parse error|syntax error|illegal|invalid|failed to parse",
        r"no 'executable'|unknown (?:command|universe)",
        r"can't open|cannot access|no such file|permission denied|not authorized|not allowed",
    )
    submit_suffix = ".submit"
    batch_size = 100
    history_batch_size = 1
    status_queries = (CondorQ(),)
    history_query = CondorHistory()
    existence_query = CondorQExistence()

    def read_job_id(self, stdout: str) -> str | None:
        match = _SUBMITTED.search(stdout)
        return f"{match['id']}.0" if match else None

    def find_command(self, name: str) -> list[str]:
        return ["condor_q", "-constraint", f'JobBatchName == "{name}"', *_FORMAT]

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        answer = self.status_queries[0].read(result)
        return None if answer.problem else list(answer.records)


def parse_jobs(stdout: str) -> list[dict[str, object]]:
    """Return the jobs in the output of ``-json``, which is empty without jobs; or raise UnreadableAnswer."""
    jobs = answers.read_json(stdout) if stdout.strip() else []
    if not isinstance(jobs, list):
        raise UnreadableAnswer("it is JSON, but not a list of jobs")
    complete = [job for job in jobs if isinstance(job, dict) and _is_complete(job)]
    if jobs and not complete:
        raise UnreadableAnswer("it is a list, but not of jobs")
    return complete


def make_record(job: Mapping[str, object]) -> JobRecord:
    """Return the record for the attributes of a job."""
    job_id = f"{job['ClusterId']}.{job['ProcId']}"
    number = job["JobStatus"]
    state = STATES.get(number) if isinstance(number, int) else None
    if state is None:
        return JobRecord(job_id, JobState.UNKNOWN, f"HTCondor reports the unknown state {number!r}")
    if state is JobState.HELD:
        return JobRecord(job_id, state, answers.text_of(job.get("HoldReason")) or "held")
    if state is JobState.CANCELLED:
        reason = answers.text_of(job.get("RemoveReason"))
        is_timeout = reason is not None and "PeriodicRemove" in reason
        return JobRecord(job_id, JobState.TIMEOUT if is_timeout else state, reason)
    if state is JobState.COMPLETED:
        exit_code = _exit_code(job)
        return JobRecord(job_id, state if exit_code in (0, None) else JobState.FAILED, None, exit_code)
    return JobRecord(job_id, state)


def _exit_code(job: Mapping[str, object]) -> int | None:
    if job.get("ExitBySignal") is True:
        signal = answers.exit_code_of(job.get("ExitSignal"))
        return None if signal is None else 128 + signal
    return answers.exit_code_of(job.get("ExitCode"))


def _is_complete(job: Mapping[str, object]) -> bool:
    return all(type(job.get(name)) is int for name in ("ClusterId", "ProcId", "JobStatus"))


def _check_environment(owner: object, name: str, value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        validate.wrong_type(owner, name, value, "a dict of strings, or None")
    for key, text in value.items():
        validate.text(owner, f"{name} (a name)", key, allow_empty=False, one_line=True)
        validate.text(owner, f"{name}[{key!r}]", text, one_line=True)
    return dict(value)


def _check_file(owner: object, name: str, value: object) -> str:
    path = validate.text(owner, name, value, allow_empty=False, one_line=True)
    if "," in path:
        validate.wrong_value(owner, name, value, "a path without a comma, which separates paths")
    return path


class CondorProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of HTCondor, in the vanilla universe.

    ``walltime`` is ``HH:MM:SS``, ``MM:SS`` or seconds. ``scheduler_options`` are lines for the submit
    description, and ``nodes_per_block`` is its ``machine_count``.

    Args:
        cores_per_slot: Cores to request; this limits the workers.
        mem_per_slot: Memory to request, in GB.
        environment: Environment variables of the job.
        project: The project to charge.
        transfer_input_files: Files that the job needs in addition to its script.
        requirements: Requirements on the machine, as an expression of HTCondor.
        cmd_chunk_size: How many jobs to query, or to cancel, with one command.
    """

    cores_per_slot = validate.Integer(low=1, optional=True)
    mem_per_slot = validate.Number(above=0, optional=True)
    environment = validate.Custom(_check_environment)
    project = validate.Text(one_line=True)
    transfer_input_files = validate.ListOf(str, check=_check_file)
    requirements = validate.Text(one_line=True)
    cmd_chunk_size = validate.Integer(low=1)

    dialect = CondorDialect()
    redirects_output = False

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        cores_per_slot: int | None = None,
        mem_per_slot: float | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        environment: dict[str, str] | None = None,
        project: str = "",
        scheduler_options: str = "",
        transfer_input_files: Sequence[str] = (),
        walltime: str = "00:10:00",
        worker_init: str = "",
        launcher: Launcher = SingleNodeLauncher(),
        requirements: str = "",
        cmd_timeout: float = 60,
        cmd_chunk_size: int = 100,
    ) -> None:
        self._configure("condor", locals())
        if self.cores_per_slot is not None:
            self.cores_per_node = self.cores_per_slot
        if self.mem_per_slot is not None:
            self.mem_per_node = self.mem_per_slot

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.condor") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def status_batch_limit(self) -> int:
        return self.cmd_chunk_size

    cancel_batch_limit = status_batch_limit

    def _job_texts(self, files: JobFiles, command: str, tasks_per_node: int) -> dict[str, str]:
        description = fill_template(template_next_to(__file__, "job.submit"), self._description(files))
        return {".sh": self._script_text(files, command, tasks_per_node), ".submit": description}

    def _description(self, files: JobFiles) -> Mapping[str, str | None]:
        memory_gb = self.mem_per_node
        return {
            "name": files.name,
            "arguments": _quoted(_quoted(f"{files.name}.sh"), '"'),
            "input_files": ",".join([files.script_path, *self.transfer_input_files]),
            "stdout": files.stdout_path,
            "stderr": files.stderr_path,
            "log": f"{files.stem}.log",
            "nodes": str(self.nodes_per_block),
            "cores": None if self.cores_per_node is None else str(self.cores_per_node),
            "memory_mb": None if memory_gb is None else str(round(memory_gb * _MB_PER_GB)),
            "requirements": self.requirements or None,
            "project": _quoted(self.project, '"') if self.project else None,
            "environment": self._environment_text(files),
            "walltime_s": str(self.walltime_s),
            "scheduler_options": self.scheduler_options,
        }

    def _environment_text(self, files: JobFiles) -> str:
        variables = {**self.environment, "JOBNAME": files.name}
        words = (f"{name}={_quoted(text)}" for name, text in variables.items())
        return _quoted(" ".join(words), '"')


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace(mark, mark * 2) + mark


pass_on_upstream_names(__name__)
