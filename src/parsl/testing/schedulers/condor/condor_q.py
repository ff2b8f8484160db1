"""``condor_q``: tells of jobs in the queue."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.condor.ads import Query, is_in_queue


def main(arguments: Sequence[str]) -> int:
    """Run condor_q; the first argument is the cluster's directory."""
    return run_command("condor_q", arguments, _answer)


def _answer(call: Call) -> Answer:
    with call.store.transaction() as state:
        jobs = [job for job in state.jobs() if is_in_queue(job) and not job.forgotten]
    return Answer(Query(call.arguments).render(jobs))
