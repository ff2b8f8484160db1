"""``qstat``, ``qdel`` and ``pbsnodes``: the commands about jobs and nodes that exist."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers import answers, attributes, refusals
from parsl.testing.schedulers.attributes import full_id, job_attributes, node_attributes, parse_id, short
from parsl.testing.schedulers.command import VERSION, Answer, Call, Command, user_name
from parsl.testing.schedulers.records import FINISHED, MAIN, OCCUPYING, Job, Payload, Queue, Settings
from parsl.testing.schedulers.refusals import Refusal
from parsl.testing.schedulers.server import delete_job
from parsl.testing.schedulers.store import Transaction


class QstatOptions(NamedTuple):
    """The command line of qstat."""

    operands: tuple[str, ...]
    flags: frozenset[str]
    format: str
    delimiter: str
    users: tuple[str, ...]
    #: Whether finished jobs are requested, too.
    includes_history: bool


class Qstat(Command):
    """``qstat``: reports jobs and queues."""

    name = "qstat"
    flags = "fxHwast1niJpTEGMrQBq"
    valued = "FDu"
    usage = refusals.QSTAT_USAGE

    def execute(self, call: Call) -> Answer:
        if call.arguments == ("--version",):
            return Answer(VERSION)
        settings = call.settings
        options = self._options(call.arguments)
        with call.store.transaction() as state:
            if options.users and options.format:
                return _users_json(state, options, settings)
            if "Q" in options.flags:
                return _queues(options, settings, state.active_jobs())
            jobs, refused = _find_jobs(state, options, settings)
            is_full = "f" in options.flags
            payloads = {job.number: state.payload(job.number) for job in jobs} if is_full else {}
        if is_full:
            text = _full(jobs, payloads, options, settings)
        else:
            shown = [job for job in jobs if not options.users or job.owner in options.users]
            if options.flags & {"a", "s", "n", "i", "r", "H"} or options.users:
                text = _alternative(shown, options, settings)
            else:
                text = answers.render_table(shown, settings.server)
        return Answer(text, *self.summarize(refused))

    def _options(self, arguments: Sequence[str]) -> QstatOptions:
        options, operands = self.parse(arguments)
        values = dict(options)
        answer_format = values.get("F", "").lower()
        if answer_format not in ("", "json", "dsv"):
            raise _conflict()
        flags = frozenset(letter for letter, _ in options if letter in self.flags)
        users = tuple(filter(None, values.get("u", "").split(",")))
        delimiter, includes_history = values.get("D", "|"), bool(flags & {"x", "H"})
        return QstatOptions(tuple(operands), flags, answer_format, delimiter, users, includes_history)


def _conflict() -> Refusal:
    return Refusal(f"qstat: conflicting options.\n{refusals.QSTAT_USAGE}", 2)


def _queues(options: QstatOptions, settings: Settings, jobs: Sequence[Job]) -> Answer:
    queues = settings.policy.queues or (Queue(settings.policy.default_queue),)
    unknown = [name for name in options.operands if name not in {queue.name for queue in queues}]
    shown = [queue for queue in queues if not options.operands or queue.name in options.operands]
    render = answers.render_full_queues if "f" in options.flags else answers.render_queues
    stderr = "".join(f"qstat: Unknown queue {name}\n" for name in unknown)
    return Answer(render(shown, jobs) if shown else "", stderr, refusals.UNKNOWN_QUEUE if unknown else 0)


def _alternative(jobs: Sequence[Job], options: QstatOptions, settings: Settings) -> str:
    is_wide, has_comments = "w" in options.flags, "s" in options.flags
    return answers.render_alternative(jobs, settings.server, time.time(), is_wide, has_comments)


def _find_jobs(
    state: Transaction, options: QstatOptions, settings: Settings
) -> tuple[list[Job], list[Refusal]]:
    """Return the requested jobs, or all of them, and the refusals of the other operands."""
    if not options.operands:
        has_all = options.includes_history and settings.policy.history
        jobs = state.jobs() if has_all else state.active_jobs()
        return [job for job in jobs if not job.forgotten], []
    found: list[Job] = []
    refused: list[Refusal] = []
    for operand in options.operands:
        number = parse_id(operand, settings.server)
        try:
            if number is None:
                found += _jobs_of_queue(state, operand, settings)
            else:
                found.append(_job(state, number, operand, options, settings))
        except Refusal as refusal:
            refused.append(refusal)
    return found, refused


def _job(state: Transaction, number: int, operand: str, options: QstatOptions, settings: Settings) -> Job:
    job_id = operand if number < 0 else full_id(number, settings.server)
    if options.includes_history and not settings.policy.history:
        raise Refusal(f"PBS is not configured to maintain job history {job_id}", 0)
    job = state.job(number)
    if job is None or job.forgotten or (job.state == FINISHED and not settings.policy.history):
        raise Refusal(f"Unknown Job Id {job_id}", refusals.UNKNOWN_JOB)
    if job.state == FINISHED and not options.includes_history:
        advice = "use -x or -H to obtain historical job information"
        raise Refusal(f"{job_id} Job has finished, {advice}", refusals.JOB_FINISHED)
    return job


def _jobs_of_queue(state: Transaction, name: str, settings: Settings) -> list[Job]:
    if name not in {queue.name for queue in settings.policy.queues}:
        raise Refusal(f"Unknown queue destination {name}", refusals.UNKNOWN_QUEUE)
    return [job for job in state.active_jobs() if job.queue == name and not job.forgotten]


def _full(
    jobs: Sequence[Job], payloads: Mapping[int, Payload], options: QstatOptions, settings: Settings
) -> str:
    if settings.flavour == MAIN and options.format == "json" and options.operands:
        jobs = jobs[:1]  # openpbs issue 2672: only the first of the requested jobs is reported
    now_s = time.time()
    full: list[tuple[str, attributes.Attributes]] = [
        (
            full_id(job.number, settings.server),
            job_attributes(job, payloads[job.number], settings, now_s),
        )
        for job in jobs
    ]
    if options.format == "json":
        return answers.render_json(settings.flavour, settings.server, now_s, "Jobs", full)
    if options.format == "dsv":
        return answers.render_dsv(full, options.delimiter)
    return answers.render_full(full, "w" in options.flags)


def _users_json(state: Transaction, options: QstatOptions, settings: Settings) -> Answer:
    """Answer ``-u`` together with ``-F json``: the release prints a table and an empty JSON."""
    if settings.flavour == MAIN:
        raise _conflict()
    jobs = [job for job in state.active_jobs() if job.owner in options.users]
    table = _alternative(jobs, options, settings)
    return Answer(table + answers.render_json(settings.flavour, settings.server, time.time(), "Jobs", None))


class Qdel(Command):
    """``qdel``: requests the end of jobs, and does not wait for it."""

    name = "qdel"
    flags = "x"
    valued = "W"
    usage = "usage:\n\tqdel [-W force|suppress_email=X] [-x] job_identifier...\n"

    def execute(self, call: Call) -> Answer:
        _, operands = self.parse(call.arguments)
        refused = []
        with call.store.transaction() as state:
            for operand in operands:
                try:
                    _delete(state, operand, call.settings)
                except Refusal as refusal:
                    refused.append(refusal)
        return Answer("", *self.summarize(refused))


def _delete(state: Transaction, operand: str, settings: Settings) -> None:
    number = parse_id(operand, settings.server)
    if number is None:
        raise Refusal(f"illegally formed job identifier: {operand}", 1)
    job_id = operand if number < 0 else full_id(number, settings.server)
    job = state.job(number)
    if job is None or job.forgotten or (job.state == FINISHED and not settings.policy.history):
        raise Refusal(f"Unknown Job Id {job_id}", refusals.UNKNOWN_JOB)
    if job.state == FINISHED:
        raise Refusal(f"Job has finished {job_id}", refusals.JOB_FINISHED)
    waiting = f"{job.comment} and terminated" if job.comment else ""
    running = f"{job.comment} and terminated by {user_name()}@{settings.login_host}"
    delete_job(state, job, running, waiting)


class Pbsnodes(Command):
    """``pbsnodes``: lists nodes; ``-a`` all, ``-l`` those that are down, ``-F json`` as JSON."""

    name = "pbsnodes"
    flags = "alSjLv"
    valued = "FD"

    def execute(self, call: Call) -> Answer:
        options, operands = self.parse(call.arguments)
        values = dict(options)
        settings = call.settings
        with call.store.transaction() as state:
            down = set(state.fact("down", []))
            jobs = state.jobs(OCCUPYING)
        hosts = [host for host in settings.hosts if not operands or {host, short(host)} & set(operands)]
        if "l" in values:
            return Answer("".join(_down_line(host, jobs) for host in hosts if host in down))
        nodes = [(short(host), node_attributes(host, host in down, jobs, settings)) for host in hosts]
        if values.get("F") == "json":
            return Answer(answers.render_json(settings.flavour, settings.server, time.time(), "nodes", nodes))
        blocks = (
            "\n".join([name, *(f"     {key} = {value}" for key, value in attributes.flatten(each))])
            for name, each in nodes
        )
        return Answer("".join(block + "\n\n" for block in blocks))


def _down_line(host: str, jobs: Sequence[Job]) -> str:
    state = attributes.node_state(any(host in job.hosts for job in jobs), True)
    return f"{short(host):20} {state} node down: communication closed\n"


qstat, qdel, pbsnodes = Qstat.main, Qdel.main, Pbsnodes.main
