"""``bjobs``: tells of jobs; in columns that ``-o`` names, or in those it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.dispatch import NEVER_ENOUGH_CPUS, NEVER_ENOUGH_NODES
from parsl.testing.schedulers.records import (
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
)

_WORDS = {QUEUED: "PEND", HELD: "PSUSP", WAITING: "PEND", RUNNING: "RUN", SUSPENDED: "USUSP", EXITING: "RUN"}
_EXIT_REASONS = {
    DELETED: "TERM_OWNER: job killed by owner",
    OVER_WALLTIME: "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}
_NONE = "-"
_NOT_FOUND = 255
_OWN_COLUMNS = ("jobid", "user", "stat", "queue", "from_host", "exec_host", "job_name", "submit_time")


def main(arguments: Sequence[str]) -> int:
    """Run bjobs; the first argument is the cluster's directory."""
    return run_command("bjobs", arguments, _answer)


def state_word(job: Job) -> str:
    """Return LSF's word for a job's state."""
    if job.claimed_state:
        return job.claimed_state
    return _WORDS.get(job.state) or ("DONE" if job.exit_status == 0 else "EXIT")


def _answer(call: Call) -> Answer:
    columns, delimiter, flags, operands = parse_bjobs_arguments(call.arguments)
    complaints: list[str] = []
    with call.store.transaction() as state:
        if operands:
            jobs = []
            for operand in operands:
                job = state.job(int(operand)) if operand.isdigit() else None
                if job is None or job.forgotten:
                    complaints.append(f"Job <{operand}> is not found\n")
                else:
                    jobs.append(job)
        else:
            wanted = state.jobs() if "a" in flags else state.active_jobs()
            jobs = [job for job in wanted if not job.forgotten]
            if not jobs:
                return Answer("", "No unfinished job found\n")
    rows = [[_CELLS[name](job, call.settings.login_host) for name in columns] for job in jobs]
    if "noheader" not in flags and rows:
        rows.insert(0, [name.upper() for name in columns])
    return Answer(_table(rows, delimiter), "".join(complaints), _NOT_FOUND if complaints and not jobs else 0)


def parse_bjobs_arguments(arguments: Sequence[str]) -> tuple[list[str], str, set[str], list[str]]:
    """Read bjobs' command line: columns, delimiter, flags, job ids."""
    columns, delimiter = list(_OWN_COLUMNS), ""
    flags: set[str] = set()
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)[1:]
        if name == "o" and rest:
            words = rest.pop(0).split()
            columns = [word.partition(":")[0] for word in words if "=" not in word]
            delimiter = next((word.partition("=")[2].strip("'\"") for word in words if "=" in word), "")
        elif name in ("u", "q", "J", "P", "m") and rest:
            rest.pop(0)
        else:
            flags.add(name)
    return [name for name in columns if name in _CELLS], delimiter, flags, rest


def _table(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter:
        return "".join(delimiter.join(row) + "\n" for row in rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "".join(
        " ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + "\n" for row in rows
    )


def _pend_reason(job: Job) -> str:
    if job.state not in (QUEUED, HELD, WAITING) or not job.comment:
        return _NONE
    if job.comment in (NEVER_ENOUGH_CPUS, NEVER_ENOUGH_NODES):
        return "Job's requirements for resource reservation not satisfied"
    return job.comment


def _exit_code(job: Job) -> str:
    return str(job.exit_status) if job.state == FINISHED and job.exit_status else _NONE


_CELLS: dict[str, Callable[[Job, str], str]] = {
    "jobid": lambda job, _: str(job.number),
    "stat": lambda job, _: state_word(job),
    "user": lambda job, _: job.owner,
    "queue": lambda job, _: job.queue,
    "job_name": lambda job, _: job.name,
    "from_host": lambda _, host: host,
    "exec_host": lambda job, _: ":".join(job.hosts) or _NONE,
    "submit_time": lambda job, _: time.strftime("%b %d %H:%M", time.localtime(job.created_s)),
    "exit_code": lambda job, _: _exit_code(job),
    "exit_reason": lambda job, _: _EXIT_REASONS.get(job.end_reason, _NONE),
    "pend_reason": lambda job, _: _pend_reason(job),
}
