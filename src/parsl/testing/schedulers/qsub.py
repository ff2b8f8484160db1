"""``qsub``: turns a command line and a script into a job, or refuses it, and starts the job if it can."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.attributes import full_id
from parsl.testing.schedulers.command import VERSION, Answer, Call, Command, user_name
from parsl.testing.schedulers.qsub_options import (
    CommandLine,
    Request,
    parse_command_line,
    parse_request,
    split_list,
)
from parsl.testing.schedulers.records import HELD, MAIN, QUEUED, WAITING, Job, Payload, Queue, Settings
from parsl.testing.schedulers.refusals import QSUB_REFUSALS, Refusal, bad_option, qsub_refusal
from parsl.testing.schedulers.server import JobStarter
from parsl.testing.schedulers.store import Transaction

_MAX_SCRIPT_NAME = 15
_MAX_NAME = 230
#: Variables that belong to the process and are not exported by ``-V``.
_NOT_EXPORTED = ("_", "SHLVL")
#: The variables that qsub passes on, as PBS_O_HOME and so on.
_PASSED_ON = ("HOME", "LANG", "LOGNAME", "PATH", "MAIL", "SHELL", "TZ")


class Qsub(Command):
    """``qsub``."""

    name = "qsub"

    def execute(self, call: Call) -> Answer:
        if call.fault.name in QSUB_REFUSALS:
            with call.store.transaction() as state:
                state.take_number()  # the real server, too, can use up a number for a refused job
            raise qsub_refusal(*QSUB_REFUSALS[call.fault.name])
        if call.arguments == ("--version",):
            return Answer(VERSION)
        line = parse_command_line(call.arguments)
        script = _read_script(line)
        with JobStarter(call.store) as starter, call.store.transaction() as state:
            number = state.take_number()
            user = user_name()
            submitter = Submitter(user, os.getcwd(), {"LOGNAME": user, "SHELL": "/bin/bash", **os.environ})
            queued = _count_queued(state, user, call.settings)
            job, payload = make_job(number, line, script, submitter, call.settings, queued, time.time())
            state.add(job, payload)
            starter.plan(state, [job])  # alone, because its submission frees no nodes for others
        return Answer(full_id(number, call.settings.server) + "\n")


def _read_script(line: CommandLine) -> str:
    if line.command:
        from shlex import join

        return f"#!/bin/sh\nexec {join(line.command)}\n"
    if any(letter == "I" for letter, _ in line.options):
        raise qsub_refusal("no-terminal")
    if line.script is None:
        return sys.stdin.read()
    try:
        with open(line.script) as file:
            return file.read()
    except OSError:
        raise qsub_refusal("no-script") from None


def _count_queued(state: Transaction, user: str, settings: Settings) -> Mapping[str, int]:
    """Return the number of the user's jobs per queue, if there is a limit for it."""
    if all(queue.max_queued_per_user is None for queue in settings.policy.queues):
        return {}
    return Counter(job.queue for job in state.active_jobs() if job.owner == user)


class Submitter(NamedTuple):
    """The user who submits, with the directory and the environment of qsub."""

    user: str
    workdir: str
    environment: Mapping[str, str]


def make_job(
    number: int,
    line: CommandLine,
    script: str,
    submitter: Submitter,
    settings: Settings,
    queued_before: Mapping[str, int],
    now_s: float,
) -> tuple[Job, Payload]:
    """Return the job that a command line and a script describe, or raise the `Refusal` of PBS or the site."""
    options = line.all_options(script)
    values = dict(reversed(options))  # the first value of an option counts
    _check_options(options, values)
    policy = settings.policy
    request = parse_request([value for letter, value in options if letter == "l"], policy.cpus_per_node)
    queue = values.get("q", "").partition("@")[0] or policy.default_queue
    _check_site_rules(values.get("A"), request, policy.required)
    if policy.queues:
        _check_queue(queue, request, policy.queues, queued_before.get(queue, 0))
    name, workdir = values.get("N") or _default_name(line), submitter.workdir
    job = Job(
        number=number,
        name=name,
        owner=submitter.user,
        queue=queue,
        chunks=request.chunks,
        workdir=workdir,
        output_path=_output_path(values.get("o", ""), workdir, f"{name}.o{number}"),
        error_path=_output_path(values.get("e", ""), workdir, f"{name}.e{number}"),
        created_s=now_s,
        modified_s=now_s,
        state=HELD if "h" in values else WAITING if values.get("a") else QUEUED,
        account=values.get("A", ""),
        walltime_s=request.walltime_s,
        resources=tuple(request.others.items()),
        request=_full_select(request, policy.cpus_per_node),
        place=request.place,
        join=values.get("j", "n"),
        keep=values.get("k") or policy.keep_files,
        hold="u" if "h" in values else "n",
        rerunnable=values.get("r") != "n",
        shell=values.get("S", ""),
        submit_arguments=" ".join(line.arguments),
        executable=" ".join(line.command),
        not_before_s=parse_date(values["a"], now_s) if values.get("a") else 0.0,
    )
    return job, Payload(script, _variables(options, submitter, settings, queue))


def _check_options(options: Sequence[tuple[str, str]], values: Mapping[str, str]) -> None:
    name = values.get("N")
    if name is not None and (not name or re.search(r"\s", name) or not name.isprintable()):
        raise bad_option("illegal -N value")
    if name and len(name) > _MAX_NAME:
        raise qsub_refusal("long-name")
    if "I" in values:
        raise qsub_refusal("no-terminal")
    for letter, value in options:
        if letter in "WJ":
            raise Refusal(f"qsub: the stand-in for PBS does not support -{letter} {value}\n", 2)


def _full_select(request: Request, default_cpus: int) -> str:
    if "ncpus" in request.select:
        return request.select
    return "+".join(f"{piece}:ncpus={default_cpus}" for piece in request.select.split("+"))


def _check_site_rules(account: str | None, request: Request, required: Sequence[str]) -> None:
    if "account" in required and not account:
        raise qsub_refusal("no-account")
    if "walltime" in required and request.walltime_s is None:
        raise qsub_refusal("no-resource", "walltime")
    for name in required:
        if name not in ("account", "walltime", *request.others):
            raise qsub_refusal("no-resource", name)


def _check_queue(name: str, request: Request, queues: tuple[Queue, ...], queued_before: int) -> None:
    queue = next((queue for queue in queues if queue.name == name), None)
    if queue is None:
        raise qsub_refusal("bad-queue")
    if not queue.enabled:
        raise qsub_refusal("queue-disabled")
    nodes = sum(chunk.pieces for chunk in request.chunks)
    if _exceeds(request.walltime_s or 0, queue.max_walltime_s) or _exceeds(nodes, queue.max_nodes):
        raise qsub_refusal("over-limit")
    if queue.max_queued_per_user is not None and queued_before >= queue.max_queued_per_user:
        raise qsub_refusal("over-user-limit")


def _exceeds(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit


def _default_name(line: CommandLine) -> str:
    if line.command:
        return os.path.basename(line.command[0])[:_MAX_SCRIPT_NAME]
    return os.path.basename(line.script)[:_MAX_SCRIPT_NAME] if line.script else "STDIN"


def _output_path(requested: str, workdir: str, default_name: str) -> str:
    host, colon, path = requested.partition(":")
    path = path if colon and "/" not in host else requested
    if not path:
        return os.path.join(workdir, default_name)
    path = os.path.join(workdir, path)
    return os.path.join(path, default_name) if path.endswith("/") else path


def parse_date(text: str, now_s: float) -> float:
    """Read ``[[CC]YY][MM][DD]hhmm[.SS]``, the time of ``qsub -a``, in seconds since the epoch."""
    digits, _, seconds = text.partition(".")
    now = time.localtime(now_s)
    if not digits.isdigit() or len(digits) not in (4, 6, 8, 10, 12):
        raise bad_option("illegal -a value")
    full = time.strftime("%Y%m%d", now)[: 12 - len(digits)] + digits
    try:
        return time.mktime(time.strptime(full + (seconds or "00"), "%Y%m%d%H%M%S"))
    except ValueError:
        raise bad_option("illegal -a value") from None


def _variables(
    options: Sequence[tuple[str, str]], submitter: Submitter, settings: Settings, queue: str
) -> tuple[tuple[str, str, str], ...]:
    """Return the Variable_List of a job: names, values and sources."""
    environment = submitter.environment
    own = {f"PBS_O_{name}": environment[name] for name in _PASSED_ON if environment.get(name)}
    if settings.flavour == MAIN:
        own |= {"PBS_O_INTERACTIVE_AUTH_METHOD": "resvport", "PBS_O_INTERACTIVE_ENCRYPT_METHOD": ""}
    own |= {"PBS_O_WORKDIR": submitter.workdir, "PBS_O_SYSTEM": "Linux"}
    exported = []
    for item in (item for letter, value in options if letter == "v" for item in split_list(value)):
        name, equals, value = item.partition("=")
        exported.append((name, value if equals else environment.get(name, ""), "-v"))
    if any(letter == "V" for letter, _ in options):
        excluded = {*_NOT_EXPORTED, *(name for name, _, _ in exported)}
        exported += [(name, value, "-V") for name, value in environment.items() if name not in excluded]
    last = {"PBS_O_QUEUE": queue, "PBS_O_HOST": settings.login_host}
    first = [(name, value, "qsub") for name, value in own.items()]
    return (*first, *exported, *((name, value, "qsub") for name, value in last.items()))


qsub = Qsub.main
