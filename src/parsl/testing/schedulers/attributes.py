"""How PBS writes ids, durations, and the attributes of jobs and nodes, in its order. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Union

from parsl.testing.schedulers import records
from parsl.testing.schedulers.records import Job, Payload, Placement, Settings

LETTERS = {
    records.QUEUED: "Q",
    records.HELD: "H",
    records.WAITING: "W",
    records.RUNNING: "R",
    records.SUSPENDED: "S",
    records.EXITING: "E",
    records.FINISHED: "F",
}
_EXECUTABLE = "jsdl-hpcpa:Executable"
_SUBSTATES = {"Q": 10, "H": 20, "W": 30, "S": 43, "E": 51}
#: The session of a job that was ended earlier than this has not been reported to the server.
_SESSION_REPORTED_S = 3


def full_id(number: int, server: str) -> str:
    """Return the id of a job, such as ``42.server``."""
    return f"{number}.{server}"


def parse_id(text: str, server: str) -> int | None:
    """Return the number in ``42.server`` or ``42``; -1 for another server, None if it is not an id."""
    digits, dot, rest = text.partition(".")
    if not _is_number(digits):
        return None
    if dot and rest not in (server, server.partition(".")[0]):
        return -1
    return int(digits)


def short(host: str) -> str:
    """Return the name of a host without its domain."""
    return host.partition(".")[0]


def vnodes(placements: Sequence[Placement]) -> str:
    """Write the nodes of a job as in ``exec_vnode``."""
    return "+".join(f"({short(each.host)}:ncpus={each.cpus})" for each in placements)


def exec_hosts(placements: Sequence[Placement]) -> str:
    """Write the nodes of a job as in ``exec_host``."""
    return "+".join(f"{short(each.host)}/0*{each.cpus}" for each in placements)


def nodefile_text(placements: Sequence[Placement]) -> str:
    """Write the node file: the full name of each node, once per process."""
    return "".join(f"{each.host}\n" * each.processes for each in placements)


def parse_duration_s(text: str) -> float | None:
    """Read ``SS``, ``MM:SS`` or ``HH:MM:SS``, also with a fraction; None if it is not a duration."""
    *fields, last = text.strip().split(":")
    seconds, _, fraction = last.partition(".")
    whole = [*fields, seconds]
    if len(whole) > 3 or not all(map(_is_number, whole)) or (fraction and not _is_number(fraction)):
        return None
    total = 0.0
    for field in whole:
        total = total * 60 + int(field)
    return total + float(f"0.{fraction or 0}")


def format_duration(seconds: float) -> str:
    """Write ``HH:MM:SS``; hours may have more than two digits."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_hours_minutes(seconds: float) -> str:
    """Write ``HH:MM``, rounded up to the next minute, as in the tables of qstat."""
    return format_duration(-(-int(seconds) // 60) * 60)[:-3]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


class Member(NamedTuple):
    """A part of a composite attribute, such as ``walltime`` of ``Resource_List``."""

    name: str
    value: str
    #: The option that exported a variable, ``-v`` or ``-V``; PBS escapes their values differently.
    source: str = ""


Value = Union[str, "tuple[Member, ...]"]
Attributes = list[tuple[str, Value]]


def state_letter(job: Job) -> str:
    """Return the letter of the state of a job."""
    return job.claimed_state or LETTERS[job.state]


def job_attributes(job: Job, payload: Payload, settings: Settings, now_s: float) -> Attributes:
    """Return the attributes that a job has, in the order of PBS."""
    everything: list[tuple[str, Value | int | None]] = [
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
        ("Execution_Time", time.ctime(job.not_before_s) if job.state == records.WAITING else None),
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
        ("obittime", time.ctime(job.obit_s) if job.obit_s and job.state != records.EXITING else None),
        ("Shell_Path_List", job.shell or None),
        ("session_id", job.session_id if _shows_session(job) else None),
        ("jobdir", _jobdir(job, payload)),
        ("substate", _substate(job)),
        ("Variable_List", tuple(Member(*variable) for variable in payload.variables)),
        ("comment", job.comment or None),
        ("etime", time.ctime(job.created_s) if job.state not in (records.HELD, records.WAITING) else None),
        ("run_count", job.run_count or None),
        ("Stageout_status", job.stageout_status if job.state == records.FINISHED else None),
        ("Exit_status", job.exit_status),
        ("Submit_arguments", job.submit_arguments),
        ("executable", f"<{_EXECUTABLE}>{job.executable}</{_EXECUTABLE}>" if job.executable else None),
        ("history_timestamp", int(job.finished_s) if job.state == records.FINISHED else None),
        ("project", "_pbs_project_default"),
        ("Submit_Host", settings.login_host),
    ]
    present = ((name, value) for name, value in everything if value is not None)
    return [(name, value if isinstance(value, tuple) else str(value)) for name, value in present]


def _has_session(job: Job) -> bool:
    return bool(job.session_id) and job.state in (records.RUNNING, records.SUSPENDED, records.EXITING)


def _has_run(job: Job) -> bool:
    return job.state == records.FINISHED and bool(job.started_s)


def _shows_session(job: Job) -> bool:
    if job.end_reason not in (records.DELETED, records.OVER_WALLTIME) or not _has_run(job):
        return _has_session(job)
    return job.obit_s - job.started_s >= _SESSION_REPORTED_S


def _jobdir(job: Job, payload: Payload) -> str | None:
    if not (_has_session(job) or _has_run(job)):
        return None
    return next((value for name, value, _ in payload.variables if name == "PBS_O_HOME"), "/")


def _substate(job: Job) -> int:
    if job.state == records.RUNNING:
        return 42 if job.session_id else 41
    if job.state != records.FINISHED:
        return _SUBSTATES[LETTERS[job.state]]
    if job.end_reason in (records.DELETED, records.ABORTED):
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


def node_attributes(host: str, is_down: bool, jobs: Sequence[Job], settings: Settings) -> Attributes:
    """Return all attributes of a node; ``jobs`` are those that hold nodes."""
    cpus = settings.policy.cpus_per_node
    used = sum(placement.cpus for job in jobs for placement in job.placements if placement.host == host)
    available = {"arch": "linux", "host": short(host), "ncpus": str(cpus)}
    return [
        ("Mom", host),
        ("ntype", "PBS"),
        ("state", node_state(used >= cpus, is_down)),
        ("pcpus", str(cpus)),
        ("resources_available", tuple(Member(name, value) for name, value in available.items())),
        ("resources_assigned", (Member("ncpus", str(used)),) if used else ()),
        ("resv_enable", "True"),
        ("sharing", "default_shared"),
    ]


def node_state(is_full: bool, is_down: bool) -> str:
    """Return the state of a node."""
    if is_down:
        return "down,job-busy" if is_full else "down"
    return "job-busy" if is_full else "free"


def flatten(attributes: Attributes) -> Iterator[tuple[str, str]]:
    """Return names and values, with ``Resource_List.walltime`` for the part of a composite attribute."""
    for name, value in attributes:
        if isinstance(value, str):
            yield name, value
        elif name == "Variable_List":
            yield name, ",".join(f"{member.name}={member.value}" for member in value)
        else:
            yield from ((f"{name}.{member.name}", member.value) for member in value)
