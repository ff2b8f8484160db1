"""``qsub``: turns a command line and a script into a job, or refuses it, and starts the job if it can."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from parsl.testing.schedulers.command import VERSION, Answer, Call, Command, user_name
from parsl.testing.schedulers.notation import full_id
from parsl.testing.schedulers.qsub_options import (
    CommandLine,
    QsubOptions,
    Request,
    directives,
    merge_options,
    named_variables,
    parse_command_line,
    parse_request,
)
from parsl.testing.schedulers.records import HELD, MAIN, QUEUED, WAITING, Job, Payload, Queue, Settings
from parsl.testing.schedulers.refusals import QSUB_REFUSALS, Refusal, bad_option, qsub_refusal
from parsl.testing.schedulers.server import JobStarter
from parsl.testing.schedulers.store import Transaction

_MAX_SCRIPT_NAME = 15
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
            job, payload = make_job(
                number, line, call.arguments, script, submitter, call.settings, queued, time.time()
            )
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
    arguments: tuple[str, ...],
    script: str,
    submitter: Submitter,
    settings: Settings,
    queued_before: Mapping[str, int],
    now_s: float,
) -> tuple[Job, Payload]:
    """Return the job that a command line and a script describe, or raise the `Refusal` of PBS or the site."""
    options = merge_options(line.options, directives(script, line.prefix))
    if options.is_interactive:
        raise qsub_refusal("no-terminal")
    if options.others:
        letter, value = options.others[0]
        raise Refusal(f"qsub: the stand-in for PBS does not support -{letter} {value}\n", 2)
    policy = settings.policy
    request = parse_request(options.resources, policy.cpus_per_node)
    queue = options.queue or policy.default_queue
    _check_site_rules(options, request, policy.required)
    if policy.queues:
        _check_queue(queue, request, policy.queues, queued_before.get(queue, 0))
    exported = named_variables(options.variables, submitter.environment)
    if options.exports_all:
        excluded = {*_NOT_EXPORTED, *(name for name, _, _ in exported)}
        environment = submitter.environment.items()
        exported += [(name, value, "-V") for name, value in environment if name not in excluded]
    name = options.name or _default_name(line)
    job = Job(
        number=number,
        name=name,
        owner=submitter.user,
        queue=queue,
        chunks=request.chunks,
        workdir=submitter.workdir,
        output_path=_output_path(options.output_path, submitter.workdir, f"{name}.o{number}"),
        error_path=_output_path(options.error_path, submitter.workdir, f"{name}.e{number}"),
        created_s=now_s,
        modified_s=now_s,
        state=_first_state(options),
        account=options.account,
        walltime_s=request.walltime_s,
        resources=request.others,
        request=_full_select(request, policy.cpus_per_node),
        place=request.place,
        join=options.join,
        keep=options.keep or policy.keep_files,
        hold="u" if options.is_held else "n",
        rerunnable=options.rerunnable,
        shell=options.shell,
        submit_arguments=" ".join(arguments),
        executable=" ".join(line.command),
        not_before_s=parse_date(options.not_before, now_s) if options.not_before else 0.0,
    )
    variables = submission_variables(submitter.environment, submitter.workdir, exported, settings, queue)
    return job, Payload(script, variables)


def _first_state(options: QsubOptions) -> str:
    if options.is_held:
        return HELD
    return WAITING if options.not_before else QUEUED


def _full_select(request: Request, default_cpus: int) -> str:
    if "ncpus" in request.select:
        return request.select
    return "+".join(f"{piece}:ncpus={default_cpus}" for piece in request.select.split("+"))


def _check_site_rules(options: QsubOptions, request: Request, required: tuple[str, ...]) -> None:
    if "account" in required and not options.account:
        raise qsub_refusal("no-account")
    if "walltime" in required and request.walltime_s is None:
        raise qsub_refusal("no-resource", "walltime")
    named = dict(request.others)
    for name in required:
        if name not in ("account", "walltime") and name not in named:
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


def submission_variables(
    environment: Mapping[str, str],
    workdir: str,
    exported: list[tuple[str, str, str]],
    settings: Settings,
    queue: str,
) -> tuple[tuple[str, str, str], ...]:
    """Return the Variable_List of a job: names, values and sources."""
    own = [(f"PBS_O_{name}", environment[name], "qsub") for name in _PASSED_ON if environment.get(name)]
    if settings.flavour == MAIN:
        own.append(("PBS_O_INTERACTIVE_AUTH_METHOD", "resvport", "qsub"))
        own.append(("PBS_O_INTERACTIVE_ENCRYPT_METHOD", "", "qsub"))
    own += [("PBS_O_WORKDIR", workdir, "qsub"), ("PBS_O_SYSTEM", "Linux", "qsub")]
    last = [("PBS_O_QUEUE", queue, "qsub"), ("PBS_O_HOST", settings.login_host, "qsub")]
    return (*own, *exported, *last)


qsub = Qsub.main
