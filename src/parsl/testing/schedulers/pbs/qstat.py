"""``qstat``: tells of jobs and queues."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.attributes import Attributes, job_attributes
from parsl.testing.schedulers.pbs.failures import failure
from parsl.testing.schedulers.pbs.ids import full_id, parse_id
from parsl.testing.schedulers.pbs.json_answer import MAIN, render_answer
from parsl.testing.schedulers.pbs.text_answers import (
    render_alternative,
    render_dsv,
    render_full,
    render_full_queues,
    render_queues,
    render_table,
)
from parsl.testing.schedulers.records import FINISHED, Job, Payload, Queue, Settings
from parsl.testing.schedulers.store import Transaction

_FLAGS = "fxHwast1niJpTEGMrQBq"
_VALUED = "FDu"


class QstatOptions(NamedTuple):
    """What qstat was asked."""

    operands: tuple[str, ...]
    flags: frozenset[str]
    format: str
    delimiter: str
    user: str

    @property
    def wants_history(self) -> bool:
        """Whether finished jobs are asked for, too."""
        return bool(self.flags & {"x", "H"})


class Found(NamedTuple):
    """The jobs that were asked for, and what is wrong with the others."""

    jobs: tuple[Job, ...]
    stderr: str = ""
    exit_code: int = 0


def main(arguments: Sequence[str]) -> int:
    """Run qstat; the first argument is the cluster's directory."""
    return run_command("qstat", arguments, _answer, _failure)


def _failure(call: Call) -> Answer | None:
    wants_json = "json" in call.arguments or "-Fjson" in call.arguments
    return failure(call, "qstat", wants_json)


def parse_qstat_options(arguments: Sequence[str]) -> QstatOptions:
    """Read qstat's command line.

    Raises:
        Refusal: It is wrong.
    """
    try:
        options, operands = parse_short_options(arguments, _FLAGS, _VALUED)
    except BadOption as error:
        raise refusals.Refusal(f"qstat: {error}\n{refusals.QSTAT_USAGE}", 2) from None
    values = dict(options)
    flags = frozenset(letter for letter, _ in options if letter in _FLAGS)
    answer_format = values.get("F", "").lower()
    if answer_format not in ("", "json", "dsv"):
        raise refusals.Refusal(f"qstat: conflicting options.\n{refusals.QSTAT_USAGE}", 2)
    return QstatOptions(tuple(operands), flags, answer_format, values.get("D", "|"), values.get("u", ""))


def _answer(call: Call) -> Answer:
    if call.arguments == ("--version",):
        return Answer("pbs_version = 23.06.06\n")
    settings = call.settings
    try:
        options = parse_qstat_options(call.arguments)
    except refusals.Refusal as refusal:
        return Answer("", refusal.message, refusal.exit_code)
    with call.store.transaction() as state:
        if options.user and options.format:
            return _users_json(state, options, settings)
        if "Q" in options.flags:
            return _tell_of_queues(options, settings, state.active_jobs())
        found = find_jobs(state, options, settings)
        is_full = "f" in options.flags
        payloads = state.payloads([job.number for job in found.jobs]) if is_full else {}
    if is_full:
        return _full_answer(payloads, options, settings, found)
    jobs = [job for job in found.jobs if not options.user or job.owner in options.user.split(",")]
    if options.flags & {"a", "s", "n", "i", "r", "H"} or options.user:
        text = _alternative(jobs, options, settings)
    else:
        text = render_table(jobs, settings.server)
    return Answer(text, found.stderr, found.exit_code)


def _tell_of_queues(options: QstatOptions, settings: Settings, jobs: Sequence[Job]) -> Answer:
    queues = settings.policy.queues or (Queue(settings.policy.default_queue),)
    names = {queue.name for queue in queues}
    unknown = [name for name in options.operands if name not in names]
    told = [queue for queue in queues if not options.operands or queue.name in options.operands]
    stdout = "".join(
        (render_full_queues if "f" in options.flags else render_queues)(told, jobs) if told else ""
    )
    stderr = "".join(f"qstat: Unknown queue {name}\n" for name in unknown)
    return Answer(stdout, stderr, refusals.UNKNOWN_QUEUE if unknown else 0)


def _alternative(jobs: Sequence[Job], options: QstatOptions, settings: Settings) -> str:
    return render_alternative(jobs, settings.server, time.time(), "w" in options.flags, "s" in options.flags)


def find_jobs(state: Transaction, options: QstatOptions, settings: Settings) -> Found:
    """Look up the jobs that were asked for; all of them if none was."""
    wants_all = options.wants_history and settings.policy.history
    if not options.operands:
        jobs = state.jobs() if wants_all else state.active_jobs()
        return Found(tuple(job for job in jobs if not job.forgotten))
    found: list[Job] = []
    complaints: list[str] = []
    exit_code = 0
    for operand in options.operands:
        number = parse_id(operand, settings.server)
        if number is None:
            jobs, complaint, code = _queue_jobs(state, operand, settings)
        else:
            jobs, complaint, code = _one_job(state, number, operand, options, settings)
        found += jobs
        exit_code = code or exit_code
        if complaint:
            complaints.append(f"qstat: {complaint}\n")
    return Found(tuple(found), "".join(complaints), exit_code)


def _one_job(
    state: Transaction, number: int, operand: str, options: QstatOptions, settings: Settings
) -> tuple[list[Job], str, int]:
    job_id = operand if number < 0 else full_id(number, settings.server)
    if options.wants_history and not settings.policy.history:
        return [], f"PBS is not configured to maintain job history {job_id}", 0
    job = state.job(number)
    if job is None or job.forgotten or (job.state == FINISHED and not settings.policy.history):
        return [], f"Unknown Job Id {job_id}", refusals.UNKNOWN_JOB
    if job.state == FINISHED and not options.wants_history:
        complaint = f"{job_id} Job has finished, use -x or -H to obtain historical job information"
        return [], complaint, refusals.JOB_FINISHED
    return [job], "", 0


def _queue_jobs(state: Transaction, name: str, settings: Settings) -> tuple[list[Job], str, int]:
    if name not in {queue.name for queue in settings.policy.queues}:
        return [], f"Unknown queue destination {name}", refusals.UNKNOWN_QUEUE
    return [job for job in state.active_jobs() if job.queue == name and not job.forgotten], "", 0


def _full_answer(
    payloads: Mapping[int, Payload], options: QstatOptions, settings: Settings, found: Found
) -> Answer:
    jobs = found.jobs
    if settings.flavour == MAIN and options.format == "json" and options.operands:
        jobs = jobs[:1]  # openpbs issue 2672: of the jobs asked for, only the first is told of
    now_s = time.time()
    full: list[tuple[str, Attributes]] = [
        (full_id(job.number, settings.server), job_attributes(job, payloads[job.number], settings, now_s))
        for job in jobs
    ]
    if options.format == "json":
        text = render_answer(settings.flavour, settings.server, now_s, "Jobs", full)
    elif options.format == "dsv":
        text = render_dsv(full, options.delimiter)
    else:
        text = render_full(full, "w" in options.flags)
    return Answer(text, found.stderr, found.exit_code)


def _users_json(state: Transaction, options: QstatOptions, settings: Settings) -> Answer:
    """Answer ``-u`` together with ``-F json``, which nobody should ask."""
    if settings.flavour == MAIN:
        return Answer("", f"qstat: conflicting options.\n{refusals.QSTAT_USAGE}", 2)
    mine = [job for job in state.active_jobs() if job.owner in options.user.split(",")]
    table = _alternative(mine, options, settings)
    return Answer(table + render_answer(settings.flavour, settings.server, time.time(), "Jobs", None))
