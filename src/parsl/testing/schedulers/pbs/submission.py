"""Turning a command line and a script into a job, or refusing it. Pure."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.environment import submission_variables
from parsl.testing.schedulers.pbs.qsub_options import (
    CommandLine,
    QsubOptions,
    directives,
    merge_options,
    named_variables,
)
from parsl.testing.schedulers.pbs.resources import Request, parse_request
from parsl.testing.schedulers.records import HELD, QUEUED, WAITING, Job, Payload, Queue, Settings

_MAX_SCRIPT_NAME = 15
#: Not exported by ``-V``: they belong to the process.
_NOT_EXPORTED = ("_", "SHLVL")


class Submitter(NamedTuple):
    """Who submits, from where."""

    user: str
    workdir: str
    environment: Mapping[str, str]


def make_job(
    number: int,
    line: CommandLine,
    arguments: tuple[str, ...],
    script: str,
    who: Submitter,
    settings: Settings,
    queued_before: Mapping[str, int],
    now_s: float,
) -> tuple[Job, Payload]:
    """Make the job that qsub was asked for.

    Args:
        number: Its number.
        line: The command line.
        arguments: The same as it was written.
        script: The script's text.
        who: Who submits it.
        settings: The cluster.
        queued_before: How many jobs the user has in each queue.
        now_s: The time, in seconds since the epoch.

    Raises:
        Refusal: As PBS, or the site, refuses it.
    """
    options = merge_options(line.options, directives(script, line.prefix))
    if options.is_interactive:
        raise refusals.no_terminal()
    if options.others:
        letter, value = options.others[0]
        raise refusals.Refusal(f"qsub: the stand-in for PBS does not know -{letter} {value}\n", 2)
    policy = settings.policy
    request = parse_request(options.resources, policy.cpus_per_node)
    queue = options.queue or policy.default_queue
    _check_site_rules(options, request, policy.required)
    if policy.queues:
        _check_queue(queue, request, policy.queues, queued_before.get(queue, 0))
    exported = named_variables(options.variables, who.environment)
    if options.exports_all:
        named = {name for name, _, _ in exported}
        exported += [
            (name, value, "-V")
            for name, value in who.environment.items()
            if name not in _NOT_EXPORTED and name not in named
        ]
    name = options.name or _default_name(line)
    job = Job(
        number=number,
        name=name,
        owner=who.user,
        queue=queue,
        chunks=request.chunks,
        workdir=who.workdir,
        output_path=_output_path(options.output_path, who.workdir, f"{name}.o{number}"),
        error_path=_output_path(options.error_path, who.workdir, f"{name}.e{number}"),
        created_s=now_s,
        modified_s=now_s,
        account=options.account,
        walltime_s=request.walltime_s,
        resources=request.others,
        request=_full_select(request, policy.cpus_per_node),
        place=request.place,
        join=options.join,
        keep=options.keep or policy.keep_files,
        rerunnable=options.rerunnable,
        shell=options.shell,
        submit_arguments=" ".join(arguments),
        executable=" ".join(line.command),
        not_before_s=parse_date(options.not_before, now_s) if options.not_before else 0.0,
    )
    job = job._replace(state=_first_state(options), hold="u" if options.is_held else "n")
    variables = submission_variables(who.environment, who.workdir, exported, settings, queue)
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
        raise refusals.no_account()
    if "walltime" in required and request.walltime_s is None:
        raise refusals.no_resource("walltime")
    named = dict(request.others)
    for name in required:
        if name not in ("account", "walltime") and name not in named:
            raise refusals.no_resource(name)


def _check_queue(name: str, request: Request, queues: tuple[Queue, ...], queued_before: int) -> None:
    queue = next((queue for queue in queues if queue.name == name), None)
    if queue is None:
        raise refusals.bad_queue()
    if not queue.enabled:
        raise refusals.queue_disabled()
    if queue.max_walltime_s is not None and (request.walltime_s or 0) > queue.max_walltime_s:
        raise refusals.over_limit()
    if queue.max_nodes is not None and sum(chunk.pieces for chunk in request.chunks) > queue.max_nodes:
        raise refusals.over_limit()
    if queue.max_queued_per_user is not None and queued_before >= queue.max_queued_per_user:
        raise refusals.over_user_limit()


def _default_name(line: CommandLine) -> str:
    if line.command:
        return os.path.basename(line.command[0])[:_MAX_SCRIPT_NAME]
    return os.path.basename(line.script)[:_MAX_SCRIPT_NAME] if line.script else "STDIN"


def _output_path(wanted: str, workdir: str, default_name: str) -> str:
    host, colon, path = wanted.partition(":")
    path = path if colon and "/" not in host else wanted
    if not path:
        return os.path.join(workdir, default_name)
    path = os.path.join(workdir, path)
    return os.path.join(path, default_name) if path.endswith("/") else path


def parse_date(text: str, now_s: float) -> float:
    """Read ``[[CC]YY][MM][DD]hhmm[.SS]``, the time of ``qsub -a``.

    Raises:
        Refusal: It is no time.
    """
    digits, _, seconds = text.partition(".")
    now = time.localtime(now_s)
    if not digits.isdigit() or len(digits) not in (4, 6, 8, 10, 12):
        raise refusals.bad_option("illegal -a value")
    full = time.strftime("%Y%m%d", now)[: 12 - len(digits)] + digits
    try:
        return time.mktime(time.strptime(full + (seconds or "00"), "%Y%m%d%H%M%S"))
    except ValueError:
        raise refusals.bad_option("illegal -a value") from None
