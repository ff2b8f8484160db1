"""Torque's ``qdel``."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.orders import delete_job
from parsl.testing.schedulers.pbs.failures import failure
from parsl.testing.schedulers.pbs.ids import parse_id
from parsl.testing.schedulers.pbs.refusals import UNKNOWN_JOB
from parsl.testing.schedulers.records import FINISHED, Settings
from parsl.testing.schedulers.store import Transaction

_INVALID_STATE = 170


def main(arguments: Sequence[str]) -> int:
    """Run qdel; the first argument is the cluster's directory."""
    return run_command("qdel", arguments, _answer, lambda call: failure(call, "qdel"))


def _answer(call: Call) -> Answer:
    try:
        _, operands = parse_short_options(call.arguments, "pa", "mtW")
    except BadOption as error:
        return Answer("", f"qdel: {error}\n", 2)
    complaints, exit_code = [], 0
    with call.store.transaction() as state:
        for operand in operands:
            complaint, code = _delete(state, operand, call.settings)
            exit_code = code or exit_code
            if complaint:
                complaints.append(f"qdel: {complaint}\n")
    return Answer("", "".join(complaints), exit_code)


def _delete(state: Transaction, operand: str, settings: Settings) -> tuple[str, int]:
    number = parse_id(operand, settings.server)
    if number is None:
        return f"illegally formed job identifier: {operand}", 1
    job = state.job(number)
    if job is None or job.forgotten:
        return f"Unknown Job Id Error {operand}", UNKNOWN_JOB
    if job.state == FINISHED:
        return (
            f"Request invalid for state of job MSG=invalid state for job - COMPLETE {operand}",
            _INVALID_STATE,
        )
    delete_job(state, job, job.comment, job.comment)
    return "", 0
