"""What Torque's qstat prints. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from parsl.testing.schedulers.durations import format_duration
from parsl.testing.schedulers.pbs.dialect import short
from parsl.testing.schedulers.pbs.ids import full_id
from parsl.testing.schedulers.pbs.text_answers import fold
from parsl.testing.schedulers.records import (
    EXITING,
    FINISHED,
    HELD,
    QUEUED,
    RUNNING,
    SUSPENDED,
    WAITING,
    Job,
    Payload,
    Settings,
)

LETTERS = {QUEUED: "Q", HELD: "H", WAITING: "W", RUNNING: "R", SUSPENDED: "S", EXITING: "E", FINISHED: "C"}
_HEAD = """\
Job ID                    Name             User            Time Use S Queue
------------------------- ---------------- --------------- -------- - -----
"""


def state_letter(job: Job) -> str:
    """Return the letter of a job's state."""
    return job.claimed_state or LETTERS[job.state]


def render_table(jobs: Sequence[Job], server: str) -> str:
    """Write what plain ``qstat`` prints: nothing at all without jobs."""
    rows = (
        f"{full_id(job.number, server)[:25]:25} {job.name[-16:]:16} {job.owner[:15]:15} "
        f"{'00:00:00' if job.started_s else '0':>8} {state_letter(job)} {job.queue:15}\n"
        for job in jobs
    )
    return _HEAD + "".join(rows) if jobs else ""


def render_full(jobs: Sequence[Job], payloads: dict[int, Payload], settings: Settings, now_s: float) -> str:
    """Write what ``qstat -f`` prints."""
    blocks = []
    for job in jobs:
        attributes = _attributes(job, payloads[job.number], settings, now_s)
        lines = (fold(f"    {name} = {value}") for name, value in attributes if value is not None)
        blocks.append("\n".join([f"Job Id: {full_id(job.number, settings.server)}", *lines]) + "\n\n")
    return "".join(blocks)


def _attributes(job: Job, payload: Payload, settings: Settings, now_s: float) -> list[tuple[str, str | None]]:
    used = format_duration((job.obit_s or now_s) - job.started_s) if job.started_s else None
    hosts = "+".join(f"{short(place.host)}/0-{max(0, place.cpus - 1)}" for place in job.placements)
    return [
        ("Job_Name", job.name),
        ("Job_Owner", f"{job.owner}@{settings.login_host}"),
        ("resources_used.walltime", used),
        ("job_state", state_letter(job)),
        ("queue", job.queue),
        ("server", settings.server),
        ("Account_Name", job.account or None),
        ("Checkpoint", "u"),
        ("ctime", time.ctime(job.created_s)),
        ("Error_Path", f"{settings.login_host}:{job.error_path}"),
        ("exec_host", hosts or None),
        ("Hold_Types", job.hold),
        ("Join_Path", job.join),
        ("Keep_Files", job.keep),
        ("Mail_Points", "a"),
        ("mtime", time.ctime(job.modified_s)),
        ("Output_Path", f"{settings.login_host}:{job.output_path}"),
        ("Priority", "0"),
        ("qtime", time.ctime(job.created_s)),
        ("Rerunable", str(job.rerunnable)),
        ("Resource_List.nodect", str(job.node_count)),
        ("Resource_List.nodes", _nodes(job)),
        ("Resource_List.walltime", None if job.walltime_s is None else format_duration(job.walltime_s)),
        ("session_id", str(job.session_id) if job.session_id else None),
        ("substate", None),
        ("Variable_List", ",".join(f"{name}={value}" for name, value, _ in payload.variables)),
        ("comment", job.comment or None),
        ("etime", time.ctime(job.created_s)),
        ("exit_status", None if job.exit_status is None else str(job.exit_status)),
        ("submit_args", job.submit_arguments),
        ("start_time", time.ctime(job.started_s) if job.started_s else None),
        ("start_count", str(job.run_count) if job.run_count else None),
        ("comp_time", time.ctime(job.finished_s) if job.state == FINISHED else None),
    ]


def _nodes(job: Job) -> str:
    return "+".join(f"{chunk.pieces}:ppn={chunk.processes}" for chunk in job.chunks)
