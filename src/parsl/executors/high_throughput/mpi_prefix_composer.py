"""The prefixes of command lines that start an MPI program on given nodes: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.resource_specification import MPI_KEYS, complete_resources

VALID_LAUNCHERS = ("srun", "aprun", "mpiexec")


def validate_resource_spec(resource_spec: Mapping[str, Any]) -> None:
    """Check the resource specification of an MPI task.

    Raises:
        InvalidResourceSpecification: It is empty, has unknown keys, or its numbers contradict each other.
    """
    unknown = set(resource_spec) - MPI_KEYS
    if unknown:
        raise InvalidResourceSpecification(unknown, f"The known keys are {', '.join(sorted(MPI_KEYS))}.")
    complete_resources(resource_spec)


def compose_mpiexec_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the prefix for the mpiexec of MPICH or of HPE PALS.

    Args:
        resource_spec: What the task requests.
        node_hostnames: The task's nodes.
        hostfile: A file with their names, to be used instead of a list; its path must not contain spaces.

    Returns:
        The variable to put the prefix in, and the prefix.
    """
    task = complete_resources(resource_spec)
    where = f"--hostfile {hostfile}" if hostfile else f"-hosts {','.join(node_hostnames)}"
    size = f"-n {task.num_ranks} -ppn {task.ranks_per_node}"
    return "PARSL_MPIEXEC_PREFIX", f"mpiexec {size} {where} {task.launcher_options}"


def compose_srun_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the prefix for Slurm's srun; see `compose_mpiexec_launch_cmd`."""
    task = complete_resources(resource_spec)
    # An argument with a slash is the name of a file to srun.
    where = f"--nodelist={hostfile}" if hostfile else f"--nodelist {','.join(node_hostnames)}"
    size = f"--ntasks {task.num_ranks} --ntasks-per-node {task.ranks_per_node}"
    return "PARSL_SRUN_PREFIX", f"srun {size} {where} --nodes {len(node_hostnames)} {task.launcher_options}"


def compose_aprun_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the prefix for Cray's aprun; see `compose_mpiexec_launch_cmd`."""
    task = complete_resources(resource_spec)
    where = f"--node-list-file {hostfile}" if hostfile else f"-node-list {','.join(node_hostnames)}"
    size = f"-n {task.num_ranks} -N {task.ranks_per_node}"
    return "PARSL_APRUN_PREFIX", f"aprun {size} {where} {task.launcher_options}"


_COMPOSERS = {
    "aprun": compose_aprun_launch_cmd,
    "srun": compose_srun_launch_cmd,
    "mpiexec": compose_mpiexec_launch_cmd,
}


def compose_all(
    mpi_launcher: str,
    resource_spec: Mapping[str, Any],
    node_hostnames: Sequence[str],
    hostfile: str | None = None,
) -> dict[str, str]:
    """Compose the prefixes for all launchers.

    Args:
        mpi_launcher: The launcher that PARSL_MPI_PREFIX is for, one of `VALID_LAUNCHERS`.
        resource_spec: What the task requests.
        node_hostnames: The task's nodes.
        hostfile: A file with their names, to be used instead of a list.

    Returns:
        The prefixes by the names of the variables to put them in.

    Raises:
        RuntimeError: The launcher is unknown.
    """
    if mpi_launcher not in _COMPOSERS:
        raise RuntimeError(f"Unknown mpi_launcher: {mpi_launcher}; there are {', '.join(VALID_LAUNCHERS)}")
    composed = {
        name: compose(resource_spec, node_hostnames, hostfile) for name, compose in _COMPOSERS.items()
    }
    return {**dict(composed.values()), "PARSL_MPI_PREFIX": composed[mpi_launcher][1]}
