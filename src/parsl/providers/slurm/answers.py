"""What Slurm prints about jobs."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import (
    JobRecord,
    complaint,
    complete_lines,
    silence,
    unusable,
    usable,
)
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

#: What the commands write when they find no controller.
UNREACHABLE = (
    r"unable to contact slurm controller|socket timed out|connect failure|connection refused|"
    r"zero bytes were transmitted|network is unreachable|no route to host|"
    r"slurm_persist_conn_open|munge|authentication error|"
    r"problem talking to database|sending persistmsgtype|temporarily unable"
)
_INVALID_ID = re.compile(r"invalid job id(?: specified)?", re.IGNORECASE)

#: What each state of Slurm means, and why.
STATES = {
    "BOOT_FAIL": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "COMPLETED": JobState.COMPLETED,
    "COMPLETING": JobState.RUNNING,  # it still has its nodes
    "CONFIGURING": JobState.RUNNING,  # it has its nodes, and they are starting up
    "DEADLINE": JobState.TIMEOUT,  # ended at a time that was set for it
    "EXPEDITING": JobState.PENDING,
    "FAILED": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "NODE_FAIL": JobState.FAILED,
    "OUT_OF_MEMORY": JobState.FAILED,
    "PENDING": JobState.PENDING,
    "PREEMPTED": JobState.CANCELLED,  # ended for somebody else's job; if it was requeued, it is PENDING
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
    "SUSPENDED": JobState.RUNNING,  # it goes on where it was
    "TIMEOUT": JobState.TIMEOUT,
    "UPDATE_DB": JobState.PENDING,
}

#: Reasons of a pending job that do not pass by themselves: it is held, or can never run as it is.
_IS_HELD = re.compile(
    r"JobHeld\w*|JobHoldMaxRequeue|launch_failed_requeued_held|job_requeued_in_held_state", re.IGNORECASE
)
_NEVER_RUNS = re.compile(
    r"DependencyNeverSatisfied|PartitionNodeLimit|PartitionTimeLimit|BadConstraints|"
    r"AccountNotAllowed|QOSNotAllowed|QOSMaxWallDurationPerJobLimit|QOSMaxNodePerJobLimit|"
    r"QOSMaxCpuPerJobLimit|Assoc(?:Max|Grp)WallDurationPerJobLimit|AssocMaxWallDurationPerJobLimit|"
    r"AssocMaxNodePerJobLimit|AssocMaxCpuPerJobLimit|InvalidAccount|InvalidQOS|ReservationDeleted",
    re.IGNORECASE,
)
_JOB_ID = re.compile(r"\d+(?:_\[?[\d,%-]+\]?|\+\d+)?")
_DETAIL = re.compile(r"(?:^|\s)(?P<name>JobId|JobState|Reason|ExitCode)=(?P<value>\S+)")
_NO_REASON = frozenset({"", "None", "(null)"})


def short_id(job_id: str) -> str:
    """Return a job's number, without the name of the cluster."""
    return job_id.strip().partition(";")[0].partition("@")[0]


def read_squeue(result: CommandResult) -> Answer:
    """Read ``id|STATE|reason`` lines of squeue."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    records = []
    for line in complete_lines(result.stdout):
        job_id, _, rest = line.strip().partition("|")
        state, _, reason = rest.partition("|")
        if _JOB_ID.fullmatch(job_id) and re.fullmatch(r"[A-Z_]+", state):
            records.append(make_record(job_id, state, reason))
    unknown: list[str] = []
    if not records and result.exit_code != 0:
        if not _INVALID_ID.search(result.stderr):
            return unusable(complaint(result))
        unknown = _asked_alone(result)
    return usable(records, unknown)


def read_ids(result: CommandResult) -> list[str] | None:
    """Read lines of nothing but ids; None if squeue has not answered."""
    if result.timed_out or result.exit_code != 0:
        return None
    return [line.strip() for line in complete_lines(result.stdout) if _JOB_ID.fullmatch(line.strip())]


def read_sacct(result: CommandResult) -> Answer:
    """Read ``id|STATE by whom|exit:signal|`` lines of sacct."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    if result.exit_code != 0:
        return unusable(complaint(result))
    return usable(_sacct_records(result.stdout))


def read_scontrol(result: CommandResult) -> Answer:
    """Read the one line of ``scontrol -o show job``."""
    if (silent := silence(result, UNREACHABLE)) is not None:
        return silent
    records = []
    for line in complete_lines(result.stdout):
        details = {match["name"]: match["value"] for match in _DETAIL.finditer(line)}
        if {"JobId", "JobState", "ExitCode"} <= details.keys() and _JOB_ID.fullmatch(details["JobId"]):
            record = make_record(details["JobId"], details["JobState"], details.get("Reason", ""))
            exit_code = _exit_code(details["ExitCode"]) if record.terminal else None
            records.append(record._replace(exit_code=exit_code))
    return usable(records) if records else unusable(complaint(result))


def make_record(job_id: str, state_name: str, reason: str) -> JobRecord:
    """Say what a state, as Slurm writes it, and its reason mean."""
    words = "" if reason in _NO_REASON else reason
    state = STATES.get(state_name)
    if state is None:
        return JobRecord(job_id, JobState.UNKNOWN, f"Slurm calls its state {state_name!r}")
    never_runs = state is JobState.PENDING and _NEVER_RUNS.search(words) is not None
    if never_runs or (state is JobState.PENDING and _IS_HELD.search(words)):
        state = JobState.HELD
    if STATES[state_name].name != state_name:
        words = f"{state_name}: {words}" if words else state_name
    exit_code = 0 if state is JobState.COMPLETED else None
    return JobRecord(job_id, state, words or None, exit_code, never_runs)


def _sacct_records(stdout: str) -> Iterator[JobRecord]:
    for line in complete_lines(stdout):
        fields = line.strip().split("|")
        if len(fields) >= 3 and _JOB_ID.fullmatch(fields[0]) and fields[1]:
            state_name, _, by_whom = fields[1].partition(" ")
            record = make_record(fields[0], state_name, by_whom)
            yield record._replace(exit_code=_exit_code(fields[2]) if record.terminal else None)


def _exit_code(value: str) -> int | None:
    """Read ``code:signal``; a signal is shown as a shell shows it."""
    match = re.fullmatch(r"(\d{1,5}):(\d{1,3})", value, re.ASCII)
    if match is None:
        return None
    code, signal = int(match[1]), int(match[2])
    return 128 + signal if signal and not code else code


def _asked_alone(result: CommandResult) -> list[str]:
    """Which job it does not know, squeue does not say; asked about one alone, it is that one."""
    for word in result.command:
        name, _, ids = word.partition("=")
        if name == "--jobs" and "," not in ids:
            return [short_id(ids)]
    return []
