"""What HTCondor prints about jobs."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import (
    JobRecord,
    UnreadableAnswer,
    complaint,
    exit_code_of,
    silence,
    unusable,
    usable,
)
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

#: What the commands write when they find no schedd.
UNREACHABLE = (
    r"can't find address of (?:local )?schedd|failed to (?:connect|fetch ads)|unable to connect|"
    r"connection refused|error connecting|timeout|SECMAN:|CEDAR:"
)

#: What each state of HTCondor means, and why.
STATES = {
    1: JobState.PENDING,  # idle
    2: JobState.RUNNING,
    3: JobState.CANCELLED,  # removed; it may still have to be told
    4: JobState.COMPLETED,  # or failed, as its exit code says
    5: JobState.HELD,  # somebody has to release it
    6: JobState.RUNNING,  # its output is on its way
    7: JobState.RUNNING,  # suspended; it goes on where it was
}


def read_jobs(result: CommandResult) -> Answer:
    """Read the JSON of condor_q or condor_history."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    try:
        jobs = parse_jobs(result.stdout)
    except UnreadableAnswer as error:
        return unusable(f"the answer of {result.command[0]} cannot be read: {error}")
    if result.exit_code != 0 and not jobs:
        return unusable(complaint(result))
    return usable(make_record(job) for job in jobs)


def read_queue_of_one(result: CommandResult) -> Answer:
    """Read the JSON of condor_q about one job: an answer without it says that it is not in the queue."""
    answer = read_jobs(result)
    if answer.problem or answer.records:
        return answer
    return usable((), [word for word in result.command if re.fullmatch(r"\d+\.\d+", word)])


def read_ids(result: CommandResult) -> list[str] | None:
    """Read the ids of the jobs that condor_q tells of; None if it has not answered."""
    answer = read_jobs(result)
    return None if answer.problem else list(answer.records)


def parse_jobs(stdout: str) -> list[Mapping[str, object]]:
    """Take apart what ``-json`` prints: nothing at all if there are no jobs.

    Raises:
        UnreadableAnswer: It is something else.
    """
    import json

    if not stdout.strip():
        return []
    try:
        jobs = json.loads(stdout)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer(f"it is not valid JSON ({error})") from error
    if not isinstance(jobs, list):
        raise UnreadableAnswer("it is JSON, but no list of jobs")
    told: list[Mapping[str, object]] = [job for job in jobs if isinstance(job, dict) and _is_told(job)]
    if jobs and not told:
        raise UnreadableAnswer("it is a list, but not of jobs")
    return told


def make_record(job: Mapping[str, object]) -> JobRecord:
    """Say what the attributes of a job mean."""
    job_id = f"{job['ClusterId']}.{job['ProcId']}"
    number = job["JobStatus"]
    state = STATES.get(number) if isinstance(number, int) else None
    if state is None:
        return JobRecord(job_id, JobState.UNKNOWN, f"HTCondor calls its state {number!r}")
    if state is JobState.HELD:
        return JobRecord(job_id, state, _text(job, "HoldReason") or "held")
    if state is JobState.CANCELLED:
        reason = _text(job, "RemoveReason")
        is_over_time = reason is not None and "PeriodicRemove" in reason
        return JobRecord(job_id, JobState.TIMEOUT if is_over_time else state, reason)
    if state is JobState.COMPLETED:
        exit_code = _exit_code(job)
        return JobRecord(job_id, state if exit_code in (0, None) else JobState.FAILED, None, exit_code)
    return JobRecord(job_id, state)


def _exit_code(job: Mapping[str, object]) -> int | None:
    if job.get("ExitBySignal") is True:
        signal = exit_code_of(job.get("ExitSignal"))
        return None if signal is None else 128 + signal
    return exit_code_of(job.get("ExitCode"))


def _is_told(job: Mapping[str, object]) -> bool:
    return all(type(job.get(name)) is int for name in ("ClusterId", "ProcId", "JobStatus"))


def _text(job: Mapping[str, object], name: str) -> str | None:
    value = job.get(name)
    return value.strip() or None if isinstance(value, str) else None
