"""``qdel``: asks for the end of jobs, and does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.options import BadOption, parse_short_options
from parsl.testing.schedulers.orders import delete_job
from parsl.testing.schedulers.pbs import refusals
from parsl.testing.schedulers.pbs.failures import failure
from parsl.testing.schedulers.pbs.ids import full_id, parse_id
from parsl.testing.schedulers.pbs.qsub import user_name
from parsl.testing.schedulers.records import FINISHED, Settings
from parsl.testing.schedulers.store import Transaction


def main(arguments: Sequence[str]) -> int:
    """Run qdel; the first argument is the cluster's directory."""
    return run_command("qdel", arguments, _answer, lambda call: failure(call, "qdel"))


def _answer(call: Call) -> Answer:
    try:
        _, operands = parse_short_options(call.arguments, "x", "W")
    except BadOption as error:
        return Answer(
            "", f"qdel: {error}\nusage:\n\tqdel [-W force|suppress_email=X] [-x] job_identifier...\n", 2
        )
    complaints = []
    exit_code = 0
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
    job_id = operand if number < 0 else full_id(number, settings.server)
    job = state.job(number)
    if job is None or job.forgotten:
        return f"Unknown Job Id {job_id}", refusals.UNKNOWN_JOB
    if job.state == FINISHED:
        if settings.policy.history:
            return f"Job has finished {job_id}", refusals.JOB_FINISHED
        return f"Unknown Job Id {job_id}", refusals.UNKNOWN_JOB
    who = f"{user_name()}@{settings.login_host}"
    waiting_comment = f"{job.comment} and terminated" if job.comment else ""
    delete_job(state, job, f"{job.comment} and terminated by {who}", waiting_comment)
    return "", 0
