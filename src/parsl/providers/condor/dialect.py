"""The commands of HTCondor, and what they print about jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from parsl.common.commands import CommandResult
from parsl.providers.batch.answers import (
    Answer,
    JobRecord,
    StatusQuery,
    UnreadableAnswer,
    complaint,
    exit_code_of,
    text_of,
    unusable,
    usable,
)
from parsl.providers.batch.dialect import Dialect
from parsl.vocabulary.job_states import JobState

_UNREACHABLE = (
    r"can't find address of (?:local )?schedd|failed to (?:connect|fetch ads)|unable to connect|"
    r"connection refused|error connecting|timeout|SECMAN:|CEDAR:"
)
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

    unreachable = _UNREACHABLE

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_q", *job_ids, *_FORMAT]

    def parse(self, result: CommandResult) -> Answer:
        jobs = parse_jobs(result.stdout)
        if result.exit_code != 0 and not jobs:
            return unusable(complaint(result))
        return usable(make_record(job) for job in jobs)


class CondorQExistence(CondorQ):
    """Reads the JSON of single jobs: an answer without the job means that the job is not in the queue."""

    def parse(self, result: CommandResult) -> Answer:
        answer = super().parse(result)
        if answer.problem or answer.records:
            return answer
        return usable((), [word for word in result.command if re.fullmatch(r"\d+\.\d+", word)])


class CondorHistory(CondorQ):
    """Reads the JSON of jobs that have left the queue."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_history", *job_ids, "-limit", str(len(job_ids)), *_FORMAT]


class CondorDialect(Dialect):
    """HTCondor: condor_submit, condor_q, condor_rm; condor_history for jobs that have left the queue.

    A job's id consists of its cluster and its process, as in ``"12.0"``.
    """

    unreachable = _UNREACHABLE
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

    def submit_command(self, path: str) -> list[str]:
        return ["condor_submit", path]

    def read_job_id(self, stdout: str) -> str | None:
        match = _SUBMITTED.search(stdout)
        return f"{match['id']}.0" if match else None

    def find_command(self, name: str) -> list[str]:
        return ["condor_q", "-constraint", f'JobBatchName == "{name}"', *_FORMAT]

    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        answer = self.status_queries[0].read(result)
        return None if answer.problem else list(answer.records)

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_rm", *job_ids]


def parse_jobs(stdout: str) -> list[Mapping[str, object]]:
    """Return the jobs in the output of ``-json``, which is empty if there are no jobs.

    Raises:
        UnreadableAnswer: The output is something else.
    """
    import json

    if not stdout.strip():
        return []
    try:
        jobs = json.loads(stdout)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer(f"it is not valid JSON ({error})") from error
    if not isinstance(jobs, list):
        raise UnreadableAnswer("it is JSON, but not a list of jobs")
    complete: list[Mapping[str, object]] = [
        job for job in jobs if isinstance(job, dict) and _is_complete(job)
    ]
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
        return JobRecord(job_id, state, text_of(job.get("HoldReason")) or "held")
    if state is JobState.CANCELLED:
        reason = text_of(job.get("RemoveReason"))
        is_timeout = reason is not None and "PeriodicRemove" in reason
        return JobRecord(job_id, JobState.TIMEOUT if is_timeout else state, reason)
    if state is JobState.COMPLETED:
        exit_code = _exit_code(job)
        return JobRecord(job_id, state if exit_code in (0, None) else JobState.FAILED, None, exit_code)
    return JobRecord(job_id, state)


def _exit_code(job: Mapping[str, object]) -> int | None:
    if job.get("ExitBySignal") is True:
        signal = exit_code_of(job.get("ExitSignal"))
        return None if signal is None else 128 + signal
    return exit_code_of(job.get("ExitCode"))


def _is_complete(job: Mapping[str, object]) -> bool:
    return all(type(job.get(name)) is int for name in ("ClusterId", "ProcId", "JobStatus"))
