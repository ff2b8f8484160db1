"""What ``qstat -f`` tells of a job: its attributes in the order in which PBS prints them. Pure."""

from __future__ import annotations

import time
from typing import NamedTuple, Union

from parsl.testing.schedulers.durations import format_duration
from parsl.testing.schedulers.pbs.dialect import exec_hosts, vnodes
from parsl.testing.schedulers.records import (
    ABORTED,
    DELETED,
    EXITING,
    FINISHED,
    HELD,
    OVER_WALLTIME,
    QUEUED,
    RUNNING,
    SUSPENDED,
    WAITING,
    Job,
    Payload,
    Settings,
)

LETTERS = {QUEUED: "Q", HELD: "H", WAITING: "W", RUNNING: "R", SUSPENDED: "S", EXITING: "E", FINISHED: "F"}
_SUBSTATES = {QUEUED: 10, HELD: 20, WAITING: 30, SUSPENDED: 43, EXITING: 51}
#: What ended earlier than this never told of its session.
_SESSION_KNOWN_S = 3


class Member(NamedTuple):
    """A part of an attribute that has several, such as ``walltime`` of ``Resource_List``."""

    name: str
    value: str
    #: Of a variable: whether it came by ``-v`` or ``-V``; PBS escapes them differently.
    source: str = ""


Value = Union[str, "tuple[Member, ...]"]
Attributes = list[tuple[str, Value]]


def state_letter(job: Job) -> str:
    """Return the letter of a job's state."""
    return job.claimed_state or LETTERS[job.state]


def job_attributes(job: Job, payload: Payload, settings: Settings, now_s: float) -> Attributes:
    """Return all attributes of a job.

    Args:
        job: The job.
        payload: Its variables.
        settings: The cluster.
        now_s: The time, in seconds since the epoch.

    Returns:
        Names and values, in the order of PBS; those that a job does not have are left out.
    """
    everything: list[tuple[str, Value | None]] = [
        ("Job_Name", job.name),
        ("Job_Owner", f"{job.owner}@{settings.login_host}"),
        ("resources_used", _resources_used(job, now_s)),
        ("job_state", state_letter(job)),
        ("queue", job.queue),
        ("server", settings.server),
        ("Account_Name", job.account or None),
        ("Checkpoint", "u"),
        ("ctime", time.ctime(job.created_s)),
        ("Error_Path", f"{settings.login_host}:{job.error_path}"),
        ("exec_host", exec_hosts(job.placements) or None),
        ("exec_vnode", vnodes(job.placements) or None),
        ("Execution_Time", time.ctime(job.not_before_s) if job.state == WAITING else None),
        ("Hold_Types", job.hold),
        ("Join_Path", job.join),
        ("Keep_Files", job.keep),
        ("Mail_Points", "a"),
        ("mtime", time.ctime(job.modified_s)),
        ("Output_Path", f"{settings.login_host}:{job.output_path}"),
        ("Priority", "0"),
        ("qtime", time.ctime(job.created_s)),
        ("Rerunable", str(job.rerunnable)),
        ("Resource_List", _resource_list(job)),
        ("stime", time.ctime(job.started_s) if job.started_s else None),
        ("obittime", time.ctime(job.obit_s) if job.obit_s and job.state != EXITING else None),
        ("Shell_Path_List", job.shell or None),
        ("session_id", str(job.session_id) if _shows_session(job) else None),
        ("jobdir", _jobdir(job, payload)),
        ("substate", str(_substate(job))),
        ("Variable_List", tuple(Member(*variable) for variable in payload.variables)),
        ("comment", job.comment or None),
        ("etime", time.ctime(job.created_s) if job.state not in (HELD, WAITING) else None),
        ("run_count", str(job.run_count) if job.run_count else None),
        ("Stageout_status", _number(job.stageout_status if job.state == FINISHED else None)),
        ("Exit_status", _number(job.exit_status)),
        ("Submit_arguments", job.submit_arguments),
        ("executable", _executable(job)),
        ("history_timestamp", str(int(job.finished_s)) if job.state == FINISHED else None),
        ("project", "_pbs_project_default"),
        ("Submit_Host", settings.login_host),
    ]
    return [(name, value) for name, value in everything if value is not None]


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _has_session(job: Job) -> bool:
    return bool(job.session_id) and job.state in (RUNNING, SUSPENDED, EXITING)


def _has_run(job: Job) -> bool:
    return job.state == FINISHED and bool(job.started_s)


def _shows_session(job: Job) -> bool:
    if job.end_reason not in (DELETED, OVER_WALLTIME) or not _has_run(job):
        return _has_session(job)
    return job.obit_s - job.started_s >= _SESSION_KNOWN_S


def _jobdir(job: Job, payload: Payload) -> str | None:
    if not (_has_session(job) or _has_run(job)):
        return None
    return next((value for name, value, _ in payload.variables if name == "PBS_O_HOME"), "/")


def _substate(job: Job) -> int:
    if job.state == RUNNING:
        return 42 if job.session_id else 41
    if job.state != FINISHED:
        return _SUBSTATES[job.state]
    if job.end_reason in (DELETED, ABORTED):
        return 91
    return 92 if job.exit_status == 0 else 93


def _resources_used(job: Job, now_s: float) -> tuple[Member, ...] | None:
    if not (_has_session(job) or _has_run(job)):
        return None
    elapsed_s = (job.obit_s or now_s) - job.started_s
    return (
        Member("cpupercent", "0"),
        Member("cput", "00:00:00"),
        Member("mem", "0kb"),
        Member("ncpus", str(sum(placement.cpus for placement in job.placements))),
        Member("vmem", "0kb"),
        Member("walltime", format_duration(max(0.0, elapsed_s))),
    )


def _resource_list(job: Job) -> tuple[Member, ...]:
    values = {
        **dict(job.resources),
        "ncpus": str(sum(chunk.pieces * chunk.cpus for chunk in job.chunks)),
        "nodect": str(job.node_count),
        "place": job.place,
        "select": job.request,
    }
    if "mpiprocs" in job.request:
        values["mpiprocs"] = str(sum(chunk.pieces * chunk.processes for chunk in job.chunks))
    if job.walltime_s is not None:
        values["walltime"] = format_duration(job.walltime_s)
    return tuple(Member(name, values[name]) for name in sorted(values))


def _executable(job: Job) -> str | None:
    return f"<jsdl-hpcpa:Executable>{job.executable}</jsdl-hpcpa:Executable>" if job.executable else None
