"""A stand-in for IBM Spectrum LSF, as far as its manual shows its output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from parsl.testing.schedulers.command import Answer, Call, user_name
from parsl.testing.schedulers.dialect import LaunchPlan
from parsl.testing.schedulers.dispatch import NEVER_ENOUGH_CPUS, NEVER_ENOUGH_NODES, TOO_FEW_NODES
from parsl.testing.schedulers.qsub_options import split_words
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
    Chunk,
    Job,
    Payload,
)
from parsl.testing.schedulers.server import JobStarter, delete_job
from tests.support.schedulers.plain import PlainCommand, PlainDialect

_WORDS = {QUEUED: "PEND", HELD: "PSUSP", WAITING: "PEND", RUNNING: "RUN", SUSPENDED: "USUSP", EXITING: "RUN"}
_EXIT_REASONS = {
    DELETED: "TERM_OWNER: job killed by owner",
    OVER_WALLTIME: "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}
_NONE = "-"
_FAILED = 255
_OWN_COLUMNS = ("jobid", "user", "stat", "queue", "from_host", "exec_host", "job_name", "submit_time")
_DEFAULT_QUEUE = "normal"
_PREFIX = "#BSUB"
_FLAGS = frozenset(["x", "H", "K", "r", "rn", "N", "B", "u"])
_VALUED = frozenset([
    "J", "W", "o", "oo", "e", "eo", "P", "q", "nnodes", "n", "R", "cwd", "G", "M", "alloc_flags", "env",
    "L", "m",
])  # fmt: skip


def _interpreter(script: str) -> tuple[str, ...]:
    """Return the command of a script's ``#!`` line, or the shell."""
    first_line = script.partition("\n")[0]
    words = first_line[2:].split() if first_line.startswith("#!") else []
    return tuple(words) or ("/bin/sh",)


class LSFDialect(PlainDialect):
    """A job gets the submitter's environment, starts in the working directory, and obeys a ``#!`` line."""

    exit_statuses: Mapping[str, int] = {DELETED: 130, ABORTED: 130, OVER_WALLTIME: 140}

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        hostfile = self.path("aux", f"{job.number}.hostfile")
        script = self.path("jobs", f"{job.number}.sh")
        stdout, stderr = (self.path("spool", f"{job.number}.{suffix}") for suffix in ("out", "err"))
        deliveries = [(stdout, job.output_path)] if job.output_path else []
        if job.error_path:
            deliveries.append((stderr, job.error_path))
        else:
            stderr = stdout
        hosts = [place.host for place in job.placements for _ in range(place.processes)]
        counted = " ".join(f"{place.host} {place.processes}" for place in job.placements)
        variables = {name: value for name, value, _ in payload.variables}
        environment = {
            **variables,
            "LSB_JOBID": str(job.number),
            "LSB_BATCH_JID": str(job.number),
            "LSB_JOBNAME": job.name,
            "LSB_QUEUE": job.queue,
            "LSB_PROJECT_NAME": job.account or "default",
            "LSB_HOSTS": " ".join(hosts),
            "LSB_MCPU_HOSTS": counted,
            "LSB_DJOB_HOSTFILE": hostfile,
            "LSB_DJOB_NUMPROC": str(len(hosts)),
            "LSB_SUB_HOST": self.settings.login_host,
            "LS_SUBCWD": job.workdir,
            **self.cluster_variables(job),
        }
        interpreter = _interpreter(payload.script)
        return LaunchPlan(
            program=interpreter[0],
            arguments=(*interpreter, script),
            stdin_text="",
            environment=environment,
            workdir=job.workdir,
            stdout=stdout,
            stderr=stderr,
            deliveries=tuple(deliveries),
            files=((hostfile, "".join(f"{host}\n" for host in hosts)),),
            script=(script, payload.script),
        )


class Bsub(PlainCommand):
    """``bsub``: submits a script from stdin, from a file, or a command."""

    name = "bsub"

    def execute(self, call: Call) -> Answer:
        try:
            options, command = parse_bsub_options(call.arguments)
            script = _script(command)
            options = {**directives(script), **options}
        except BadBsubOption as error:
            return _refused(str(error))
        queues = call.settings.policy.queues
        queue = options.get("q", queues[0].name if queues else _DEFAULT_QUEUE)
        if queues and queue not in {each.name for each in queues}:
            return _refused(f"{queue}: No such queue")
        limit_s = parse_run_limit_s(options["W"]) if "W" in options else None
        if "W" in options and limit_s is None:
            return _refused(f"{options['W']}: Bad RUNLIMIT specification")
        with JobStarter(call.store) as starter, call.store.transaction() as state:
            number = state.take_number()
            job = _job(number, options, queue, limit_s, call, " ".join(command))
            variables = tuple((name, value, "") for name, value in os.environ.items())
            state.add(job, Payload(script, variables))
            starter.plan(state, [job])
        return Answer(f"Job <{number}> is submitted to queue <{queue}>.\n")


def _refused(reason: str) -> Answer:
    return Answer("", f"{reason}. Job not submitted.\n", _FAILED)


def _script(command: Sequence[str]) -> str:
    if not command:
        return sys.stdin.read()
    if len(command) == 1 and os.path.isfile(command[0]):
        with open(command[0]) as file:
            return file.read()
    return " ".join(command) + "\n"


def _job(
    number: int, options: dict[str, str], queue: str, limit_s: float | None, call: Call, command: str
) -> Job:
    now_s = time.time()
    workdir = options.get("cwd", os.getcwd())
    return Job(
        number=number,
        name=options.get("J", command[:60] or "NONAME"),
        owner=user_name(),
        queue=queue,
        chunks=_chunks(options, call.settings.policy.cpus_per_node),
        workdir=workdir,
        output_path=_path(options, ("o", "oo"), workdir, number),
        error_path=_path(options, ("e", "eo"), workdir, number),
        created_s=now_s,
        modified_s=now_s,
        state=HELD if "H" in options else QUEUED,
        account=options.get("P", ""),
        walltime_s=limit_s,
    )


def _chunks(options: dict[str, str], cpus_per_node: int) -> tuple[Chunk, ...]:
    if "nnodes" in options:
        return (Chunk(int(options["nnodes"]), cpus_per_node),)
    processes = int(options.get("n", "1").partition(",")[0])
    per_node = processes_per_node(options.get("R", ""), processes)
    whole, rest = divmod(processes, per_node)
    chunks = [Chunk(whole, per_node, per_node)] if whole else []
    return tuple([*chunks, Chunk(1, rest, rest)] if rest else chunks)


def _path(options: dict[str, str], names: Sequence[str], workdir: str, number: int) -> str:
    path = next((options[name] for name in names if name in options), "")
    return os.path.join(workdir, path.replace("%J", str(number))) if path else ""


class BadBsubOption(Exception):
    """An option is unknown or lacks its value."""


def parse_bsub_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Read ``-J name -nnodes 2 command``.

    Returns:
        The options without their dashes, and the command.

    Raises:
        BadBsubOption: An option is unknown or lacks its value.
    """
    found: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)[1:]
        if name in _FLAGS:
            found[name] = ""
        elif name not in _VALUED:
            raise BadBsubOption(f"{name}: Illegal option")
        elif not rest:
            raise BadBsubOption(f"{name}: Option requires an argument")
        else:
            found[name] = rest.pop(0)
    return found, rest


def directives(script: str) -> dict[str, str]:
    """Collect the options of a script.

    Raises:
        BadBsubOption: An option is unknown or lacks its value.
    """
    found: dict[str, str] = {}
    for line in script.splitlines():
        if line.startswith(_PREFIX):
            options, _ = parse_bsub_options(split_words(line[len(_PREFIX) :]))
            found.update(options)
    return found


def parse_run_limit_s(text: str) -> float | None:
    """Read ``-W [hours:]minutes[/host]``; None if it is wrong."""
    fields = text.partition("/")[0].split(":")
    if len(fields) > 2 or not all(field.isdigit() for field in fields):
        return None
    minutes = 0
    for field in fields:
        minutes = minutes * 60 + int(field)
    return minutes * 60.0


def processes_per_node(requirements: str, processes: int) -> int:
    """Read ``span[ptile=4]``; without it, all processes go to one node."""
    _, found, rest = requirements.partition("ptile=")
    digits = rest.partition("]")[0].strip()
    return int(digits) if found and digits.isdigit() and int(digits) > 0 else processes


class Bkill(PlainCommand):
    """``bkill``: requests the end of jobs."""

    name = "bkill"

    def execute(self, call: Call) -> Answer:
        marked: list[str] = []
        errors: list[str] = []
        with call.store.transaction() as state:
            for operand in (word for word in call.arguments if not word.startswith("-")):
                job = state.job(int(operand)) if operand.isdigit() else None
                if job is None or job.forgotten:
                    errors.append(f"Job <{operand}>: No matching job found\n")
                elif job.state == FINISHED:
                    errors.append(f"Job <{operand}>: Job has already finished\n")
                else:
                    delete_job(state, job._replace(exit_status=None), job.comment, job.comment)
                    marked.append(f"Job <{operand}> is being terminated\n")
        return Answer("".join(marked), "".join(errors), _FAILED if errors else 0)


class Bjobs(PlainCommand):
    """``bjobs``: reports jobs, in the columns of ``-o`` or in its own."""

    name = "bjobs"

    def execute(self, call: Call) -> Answer:
        columns, delimiter, flags, operands = parse_bjobs_arguments(call.arguments)
        errors: list[str] = []
        with call.store.transaction() as state:
            if operands:
                jobs = []
                for operand in operands:
                    job = state.job(int(operand)) if operand.isdigit() else None
                    if job is None or job.forgotten:
                        errors.append(f"Job <{operand}> is not found\n")
                    else:
                        jobs.append(job)
            else:
                candidates = state.jobs() if "a" in flags else state.active_jobs()
                jobs = [job for job in candidates if not job.forgotten]
                if not jobs:
                    return Answer("", "No unfinished job found\n")
        rows = [[_CELLS[name](job, call.settings.login_host) for name in columns] for job in jobs]
        if "noheader" not in flags and rows:
            rows.insert(0, [name.upper() for name in columns])
        return Answer(_table(rows, delimiter), "".join(errors), _FAILED if errors and not jobs else 0)


def state_word(job: Job) -> str:
    """Return LSF's word for a job's state."""
    if job.claimed_state:
        return job.claimed_state
    return _WORDS.get(job.state) or ("DONE" if job.exit_status == 0 else "EXIT")


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
    return "too few free nodes" if job.comment == TOO_FEW_NODES else job.comment


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


bsub = Bsub.main
bkill = Bkill.main
bjobs = Bjobs.main
