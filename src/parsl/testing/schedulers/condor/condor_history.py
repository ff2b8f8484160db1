"""``condor_history``: tells of jobs that have left the queue, the last first."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.testing.schedulers.commands import Answer, Call, run_command
from parsl.testing.schedulers.condor.ads import Query, is_in_queue


def main(arguments: Sequence[str]) -> int:
    """Run condor_history; the first argument is the cluster's directory."""
    return run_command("condor_history", arguments, _answer)


def _answer(call: Call) -> Answer:
    with call.store.transaction() as state:
        jobs = [job for job in state.jobs() if not is_in_queue(job) and not job.forgotten]
    return Answer(Query(call.arguments).render(jobs[::-1] if call.settings.policy.history else ()))
