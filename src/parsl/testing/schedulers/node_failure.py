"""What dies with a node of a job that is not its first: the ranks that mpiexec has put there."""

from __future__ import annotations

import os
import signal

from parsl.common.processes import environment_of, family, process_table
from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE


def kill_ranks(directory: str, job_id: str, node: int) -> None:
    """Kill the ranks on a node of a job, with all that they have started.

    Args:
        directory: The cluster's directory.
        job_id: The job.
        node: The position of the node among the job's nodes.
    """
    marks = [f"{CLUSTER_VARIABLE}={directory}", f"PBS_JOBID={job_id}", f"PALS_NODEID={node}"]
    wanted = {mark.encode() for mark in marks}
    table = process_table()
    ranks = [pid for pid in table if wanted <= (environment_of(pid) or set())]
    for pid in family(table, ranks):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
