"""The nodes of the batch job that a script runs in, which scripts divide among the parts of a workflow."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from enum import Enum

from parsl.executors.high_throughput.node.node_list import (
    NODE_FILE_VARIABLE,
    SLURM_VARIABLES,
    NoNodes,
    read_nodes,
)

__all__ = [
    "NoNodes",
    "Scheduler",
    "get_nodes_in_batchjob",
    "get_pbs_hosts_list",
    "get_slurm_hosts_list",
    "identify_scheduler",
]


class Scheduler(Enum):
    """The batch scheduler that has started the job."""

    Unknown = 0
    Slurm = 1
    PBS = 2


_VARIABLES = {Scheduler.Unknown: (), Scheduler.Slurm: SLURM_VARIABLES, Scheduler.PBS: (NODE_FILE_VARIABLE,)}


def identify_scheduler() -> Scheduler:
    """Return the scheduler whose variables the environment has; ``Scheduler.Unknown`` outside of jobs."""
    for scheduler in (Scheduler.PBS, Scheduler.Slurm):
        if _variables_of(scheduler):
            return scheduler
    return Scheduler.Unknown


def get_nodes_in_batchjob(scheduler: Scheduler) -> list[str]:
    """Return the nodes of the job that this process runs in.

    Args:
        scheduler: The scheduler whose variables to read.

    Returns:
        The names, each once, in the scheduler's spelling and order.

    Raises:
        NoNodes: The environment has no list of nodes of this scheduler. NoNodes is a ValueError.
    """
    environ = _variables_of(scheduler)
    if not environ:
        needed = " or ".join(_VARIABLES[scheduler]) or "variable of an unknown scheduler"
        raise NoNodes(
            f"get_nodes_in_batchjob({scheduler}): the environment has no {needed}. Call it inside a batch "
            f"job of this scheduler; here, identify_scheduler() returns {identify_scheduler()}."
        )
    return read_nodes(environ, socket.gethostname())


def get_slurm_hosts_list() -> list[str]:
    """Return the nodes of a Slurm job; see :func:`get_nodes_in_batchjob`."""
    return get_nodes_in_batchjob(Scheduler.Slurm)


def get_pbs_hosts_list() -> list[str]:
    """Return the nodes of a PBS job; see :func:`get_nodes_in_batchjob`."""
    return get_nodes_in_batchjob(Scheduler.PBS)


def _variables_of(scheduler: Scheduler) -> Mapping[str, str]:
    return {name: os.environ[name] for name in _VARIABLES[scheduler] if os.environ.get(name)}
