"""``condor_rm``: asks for the end of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.orders import delete_job
from parsl.testing.schedulers.records import FINISHED


def main(arguments: Sequence[str]) -> int:
    """Run condor_rm; the first argument is the cluster's directory."""
    return run_command("condor_rm", arguments, _answer)


def _answer(call: Call) -> Answer:
    told: list[str] = []
    complaints: list[str] = []
    with call.store.transaction() as state:
        for operand in (word for word in call.arguments if not word.startswith("-")):
            number = operand.partition(".")[0]
            job = state.job(int(number)) if number.isdigit() else None
            if job is None or job.forgotten or job.state == FINISHED:
                complaints.append(f"Job {operand} not found\n")
            else:
                delete_job(state, job, job.comment, job.comment)
                told.append(f"Job {operand} marked for removal\n")
    return Answer("".join(told), "".join(complaints), 1 if complaints else 0)
