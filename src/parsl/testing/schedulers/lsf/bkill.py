"""``bkill``: asks for the end of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.orders import delete_job
from parsl.testing.schedulers.records import FINISHED

_FAILED = 255


def main(arguments: Sequence[str]) -> int:
    """Run bkill; the first argument is the cluster's directory."""
    return run_command("bkill", arguments, _answer)


def _answer(call: Call) -> Answer:
    told: list[str] = []
    complaints: list[str] = []
    with call.store.transaction() as state:
        for operand in (word for word in call.arguments if not word.startswith("-")):
            job = state.job(int(operand)) if operand.isdigit() else None
            if job is None or job.forgotten:
                complaints.append(f"Job <{operand}>: No matching job found\n")
            elif job.state == FINISHED:
                complaints.append(f"Job <{operand}>: Job has already finished\n")
            else:
                delete_job(state, job._replace(exit_status=None), job.comment, job.comment)
                told.append(f"Job <{operand}> is being terminated\n")
    return Answer("".join(told), "".join(complaints), _FAILED if complaints else 0)
