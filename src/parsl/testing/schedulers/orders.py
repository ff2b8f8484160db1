"""Telling running jobs what to do, and ending those that wait."""

from __future__ import annotations

import os
import signal
import time

from parsl.testing.schedulers.records import DELETED, FINISHED, OCCUPYING, Job
from parsl.testing.schedulers.store import Transaction


def give_order(state: Transaction, job: Job, order: str, comment: str | None = None) -> None:
    """Tell the runner of a job what to do.

    Args:
        state: The cluster's state. Its lock is held, so the runner that a record names has not ended.
        job: A job that holds nodes.
        order: An end reason, ``suspend`` or ``resume``.
        comment: What the job's record says from now on; None: what it said.
    """
    job = job._replace(order=order, modified_s=time.time())
    if comment is not None:
        job = job._replace(comment=comment)
    state.update(job)
    if job.runner_pid:
        try:
            os.kill(job.runner_pid, signal.SIGUSR1)
        except ProcessLookupError:
            pass  # somebody has killed it


def delete_job(state: Transaction, job: Job, running_comment: str, waiting_comment: str) -> None:
    """Delete a job: ask its runner, or note its end if it has none.

    Args:
        state: The cluster's state.
        job: A job that has not ended.
        running_comment: What its record says if it runs.
        waiting_comment: What its record says if it does not.
    """
    if job.state in OCCUPYING:
        give_order(state, job, DELETED, running_comment)
        return
    now_s = time.time()
    state.update(
        job._replace(
            state=FINISHED, finished_s=now_s, modified_s=now_s, end_reason=DELETED, comment=waiting_comment
        )
    )
