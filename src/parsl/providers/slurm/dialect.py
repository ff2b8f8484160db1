"""The commands of Slurm, and what they print about jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from parsl.common.commands import CommandResult
from parsl.providers.batch.answers import (
    Answer,
    JobRecord,
    StatusQuery,
    complaint,
    complete_lines,
    unusable,
    usable,
)
from parsl.providers.batch.dialect import Dialect
from parsl.vocabulary.job_states import JobState

_UNREACHABLE = (
    r"unable to contact slurm controller|socket timed out|connect failure|connection refused|"
    r"zero bytes were transmitted|network is unreachable|no route to host|"
    r"slurm_persist_conn_open|munge|authentication error|"
    r"problem talking to database|sending persistmsgtype|temporarily unable"
)
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
_DETAIL = re.compile(r"(?:^|\s)(?P<name>JobId|JobState|Reason|ExitCode)=(?P<value>\S+)")
_NO_REASON = frozenset({"", "None", "(null)"})


class SlurmDialect(Dialect):
    """Slurm: sbatch, squeue, scancel; sacct and scontrol for how a job has ended.

    squeue forgets a job a few minutes after its end (MinJobAge); sacct, where it is available, does not.

    Args:
        job_id_pattern: A regular expression for the output of sbatch; its group ``id`` is the job's id.
        clusters: The clusters to submit to; None for the cluster of this machine.
    """

    unreachable = _UNREACHABLE
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

    def submit_command(self, path: str) -> list[str]:
        return ["sbatch", path]

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
        return ["scancel", *self._clusters, *map(short_id, job_ids)]

    def short_id(self, job_id: str) -> str:
        return short_id(job_id)


class _SlurmQuery(StatusQuery):
    unreachable = _UNREACHABLE

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
            return usable(records)
        if not _INVALID_ID.search(result.stderr):
            return unusable(complaint(result))
        return usable((), _single_id(result.command))


class Sacct(_SlurmQuery):
    """Reads ``id|STATE by user|exit:signal|`` lines."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        columns = "--format=jobid,state%30,exitcode"
        options = ("-X", "--noheader", "--parsable", columns, f"--jobs={_comma_separated(job_ids)}")
        return ["sacct", *self._clusters, *options]

    def parse(self, result: CommandResult) -> Answer:
        if result.exit_code != 0:
            return unusable(complaint(result))
        records = []
        for line in complete_lines(result.stdout):
            fields = line.strip().split("|")
            if len(fields) >= 3 and _JOB_ID.fullmatch(fields[0]) and fields[1]:
                state_name, _, user = fields[1].partition(" ")
                record = make_record(fields[0], state_name, user)
                exit_code = _exit_code(fields[2]) if record.terminal else None
                records.append(record._replace(exit_code=exit_code))
        return usable(records)


class Scontrol(_SlurmQuery):
    """Reads the ``name=value`` pairs of one line per job."""

    def command(self, job_ids: Sequence[str]) -> list[str]:
        return ["scontrol", *self._clusters, "-o", "show", "job", _comma_separated(job_ids)]

    def parse(self, result: CommandResult) -> Answer:
        records = []
        for line in complete_lines(result.stdout):
            details = {match["name"]: match["value"] for match in _DETAIL.finditer(line)}
            if {"JobId", "JobState", "ExitCode"} <= details.keys() and _JOB_ID.fullmatch(details["JobId"]):
                record = make_record(details["JobId"], details["JobState"], details.get("Reason", ""))
                exit_code = _exit_code(details["ExitCode"]) if record.terminal else None
                records.append(record._replace(exit_code=exit_code))
        return usable(records) if records else unusable(complaint(result))


def short_id(job_id: str) -> str:
    """Return a job's number, without the name of the cluster."""
    return job_id.strip().partition(";")[0].partition("@")[0]


def make_record(job_id: str, state_name: str, reason: str) -> JobRecord:
    """Return the record for a state and a reason, as Slurm prints them."""
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
