"""What an MPI task finds in its environment: how to start its program, on which nodes. Data in, data out."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.executors.high_throughput.mpi_prefix_composer import compose_all
from parsl.executors.high_throughput.wire.protocol import Resources

#: Bytes of a list of nodes that still goes into command lines. The list is in five variables then, and all of
#: them, with the task, have to fit into one packet to the worker (see worker_channel.PACKET_LIMIT).
LIST_LIMIT = 8 * 1024
#: Bytes of a list of nodes that still gets a variable to itself.
VARIABLE_LIMIT = 48 * 1024


def list_size(nodes: Sequence[str]) -> int:
    """How many bytes a list of nodes takes, with commas between."""
    return sum(len(name.encode()) + 1 for name in nodes)


def needs_host_file(nodes: Sequence[str]) -> bool:
    """Whether the list of a task's nodes is too long for command lines."""
    return list_size(nodes) > LIST_LIMIT


def task_environment(
    launcher: str, resources: Resources, nodes: Sequence[str], host_file: str | None
) -> dict[str, str]:
    """Compose the variables of a task.

    Args:
        launcher: What PARSL_MPI_PREFIX is for.
        resources: What the task asked for.
        nodes: The nodes that it was given.
        host_file: A file with their names, if there is one.

    Returns:
        The variables. The list of nodes is left out where it is too long for any variable.
    """
    variables = {
        "PARSL_NUM_NODES": str(resources.num_nodes),
        "PARSL_RANKS_PER_NODE": str(resources.ranks_per_node),
        "PARSL_NUM_RANKS": str(resources.num_ranks),
        **compose_all(launcher, _as_specification(resources), nodes, host_file),
    }
    if list_size(nodes) <= VARIABLE_LIMIT:
        variables["PARSL_MPI_NODELIST"] = ",".join(nodes)
    if host_file:
        variables["PARSL_MPI_HOSTFILE"] = host_file
    if resources.launcher_options:
        variables["PARSL_LAUNCHER_OPTIONS"] = resources.launcher_options
    return variables


def _as_specification(resources: Resources) -> dict[str, object]:
    return {
        "num_nodes": resources.num_nodes,
        "ranks_per_node": resources.ranks_per_node,
        "num_ranks": resources.num_ranks,
        "launcher_options": resources.launcher_options,
    }
