"""Torque's ``qstat``: finished jobs are shown, as completed, for as long as the history is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.pbs.failures import failure
from parsl.testing.schedulers.pbs.ids import parse_id
from parsl.testing.schedulers.pbs.refusals import UNKNOWN_JOB
from parsl.testing.schedulers.records import FINISHED, Job
from parsl.testing.schedulers.torque.answers import render_full, render_table


def main(arguments: Sequence[str]) -> int:
    """Run qstat; the first argument is the cluster's directory."""
    return run_command("qstat", arguments, _answer, lambda call: failure(call, "qstat"))


def _answer(call: Call) -> Answer:
    try:
        options, operands = parse_short_options(call.arguments, "fantse1irq", "uW")
    except BadOption as error:
        return Answer("", f"qstat: {error}\n", 2)
    settings = call.settings
    complaints: list[str] = []
    with call.store.transaction() as state:
        if operands:
            numbers = [(operand, parse_id(operand, settings.server)) for operand in operands]
            found = [(operand, None if number is None else state.job(number)) for operand, number in numbers]
        else:
            found = [("", job) for job in state.jobs()]
        jobs: list[Job] = []
        for operand, job in found:
            if job is None or job.forgotten or (job.state == FINISHED and not settings.policy.history):
                if operand:
                    complaints.append(f"qstat: Unknown Job Id Error {operand}\n")
            else:
                jobs.append(job)
        payloads = state.payloads([job.number for job in jobs])
    if any(letter == "f" for letter, _ in options):
        text = render_full(jobs, payloads, settings, time.time())
    else:
        text = render_table(jobs, settings.server)
    return Answer(text, "".join(complaints), UNKNOWN_JOB if complaints else 0)
