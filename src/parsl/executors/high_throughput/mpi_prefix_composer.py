"""The beginnings of the command lines that start an MPI program on given nodes. Data in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.resource_specification import MPI_KEYS, complete_resources

VALID_LAUNCHERS = ("srun", "aprun", "mpiexec")


def validate_resource_spec(resource_spec: Mapping[str, Any]) -> None:
    """Check the resource specification of an MPI task.

    Raises:
        InvalidResourceSpecification: It is missing, has unknown keys, or its numbers do not fit together.
    """
    unknown = set(resource_spec) - MPI_KEYS
    if unknown:
        raise InvalidResourceSpecification(unknown, f"Known are {', '.join(sorted(MPI_KEYS))}.")
    complete_resources(resource_spec)


def compose_mpiexec_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the beginning of a command line for the mpiexec of MPICH or of HPE PALS.

    Args:
        resource_spec: What the task asks for.
        node_hostnames: Its nodes.
        hostfile: A file with their names, to be used in place of a list; without white space in its path.

    Returns:
        The variable to put it in, and the text.
    """
    task = complete_resources(resource_spec)
    where = f"--hostfile {hostfile}" if hostfile else f"-hosts {','.join(node_hostnames)}"
    return (
        "PARSL_MPIEXEC_PREFIX",
        f"mpiexec -n {task.num_ranks} -ppn {task.ranks_per_node} {where} {task.launcher_options}",
    )


def compose_srun_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the beginning of a command line for Slurm's srun; as `compose_mpiexec_launch_cmd`."""
    task = complete_resources(resource_spec)
    # srun takes what has a slash in it for the name of a file.
    where = f"--nodelist={hostfile}" if hostfile else f"--nodelist {','.join(node_hostnames)}"
    size = f"--ntasks {task.num_ranks} --ntasks-per-node {task.ranks_per_node}"
    return "PARSL_SRUN_PREFIX", f"srun {size} {where} --nodes {len(node_hostnames)} {task.launcher_options}"


def compose_aprun_launch_cmd(
    resource_spec: Mapping[str, Any], node_hostnames: Sequence[str], hostfile: str | None = None
) -> tuple[str, str]:
    """Compose the beginning of a command line for Cray's aprun; as `compose_mpiexec_launch_cmd`."""
    task = complete_resources(resource_spec)
    where = f"--node-list-file {hostfile}" if hostfile else f"-node-list {','.join(node_hostnames)}"
    return (
        "PARSL_APRUN_PREFIX",
        f"aprun -n {task.num_ranks} -N {task.ranks_per_node} {where} {task.launcher_options}",
    )


_Compose = Callable[[Mapping[str, Any], Sequence[str], "str | None"], tuple[str, str]]
_COMPOSERS: dict[str, _Compose] = {
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
    """Compose the beginnings for all launchers.

    Args:
        mpi_launcher: The one that PARSL_MPI_PREFIX is for, one of `VALID_LAUNCHERS`.
        resource_spec: What the task asks for.
        node_hostnames: Its nodes.
        hostfile: A file with their names, to be used in place of a list.

    Returns:
        The texts by the names of the variables to put them in.

    Raises:
        RuntimeError: There is no such launcher.
    """
    if mpi_launcher not in _COMPOSERS:
        raise RuntimeError(f"Unknown mpi_launcher: {mpi_launcher}; there are {', '.join(VALID_LAUNCHERS)}")
    composed = {
        name: dict([compose(resource_spec, node_hostnames, hostfile)]) for name, compose in _COMPOSERS.items()
    }
    prefixes = {variable: text for texts in composed.values() for variable, text in texts.items()}
    [prefixes["PARSL_MPI_PREFIX"]] = composed[mpi_launcher].values()
    return prefixes
