"""The exact texts of PARSL_MPI_PREFIX and related variables: users' scripts and sites depend on them."""

from __future__ import annotations

import pytest

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.mpi_prefix_composer import (
    VALID_LAUNCHERS,
    compose_all,
    compose_aprun_launch_cmd,
    compose_mpiexec_launch_cmd,
    compose_srun_launch_cmd,
    validate_resource_spec,
)

NODES = ["NODE001", "NODE002"]
SPECIFICATION = {"num_nodes": 2, "ranks_per_node": 12, "num_ranks": 24}
WITH_OPTIONS = {**SPECIFICATION, "launcher_options": "--depth 8"}

MPIEXEC = "mpiexec -n 24 -ppn 12 -hosts NODE001,NODE002 "
SRUN = "srun --ntasks 24 --ntasks-per-node 12 --nodelist NODE001,NODE002 --nodes 2 "
APRUN = "aprun -n 24 -N 12 -node-list NODE001,NODE002 "


def test_each_launcher_gets_ranks_and_nodes_in_its_own_syntax() -> None:
    assert compose_mpiexec_launch_cmd(SPECIFICATION, NODES) == ("PARSL_MPIEXEC_PREFIX", MPIEXEC)
    assert compose_srun_launch_cmd(SPECIFICATION, NODES) == ("PARSL_SRUN_PREFIX", SRUN)
    assert compose_aprun_launch_cmd(SPECIFICATION, NODES) == ("PARSL_APRUN_PREFIX", APRUN)


@pytest.mark.parametrize(
    ("launcher", "prefix"),
    [("mpiexec", MPIEXEC), ("srun", SRUN), ("aprun", APRUN)],
    ids=lambda text: text[:7],
)
def test_the_mpi_prefix_is_that_of_the_chosen_launcher(launcher: str, prefix: str) -> None:
    assert launcher in VALID_LAUNCHERS
    assert compose_all(launcher, WITH_OPTIONS, NODES) == {
        "PARSL_MPIEXEC_PREFIX": f"{MPIEXEC}--depth 8",
        "PARSL_SRUN_PREFIX": f"{SRUN}--depth 8",
        "PARSL_APRUN_PREFIX": f"{APRUN}--depth 8",
        "PARSL_MPI_PREFIX": f"{prefix}--depth 8",
    }


def test_what_is_missing_is_calculated() -> None:
    assert compose_mpiexec_launch_cmd({"num_nodes": 2, "num_ranks": 24}, NODES)[1] == MPIEXEC


def test_a_file_takes_the_place_of_a_long_list() -> None:
    prefixes = compose_all("mpiexec", SPECIFICATION, NODES, hostfile="/run/hosts-7")
    assert prefixes == {
        "PARSL_MPI_PREFIX": "mpiexec -n 24 -ppn 12 --hostfile /run/hosts-7 ",
        "PARSL_MPIEXEC_PREFIX": "mpiexec -n 24 -ppn 12 --hostfile /run/hosts-7 ",
        "PARSL_SRUN_PREFIX": "srun --ntasks 24 --ntasks-per-node 12 --nodelist=/run/hosts-7 --nodes 2 ",
        "PARSL_APRUN_PREFIX": "aprun -n 24 -N 12 --node-list-file /run/hosts-7 ",
    }


def test_unknown_launchers_and_keys_are_refused() -> None:
    with pytest.raises(RuntimeError, match="Unknown mpi_launcher: mpirun"):
        compose_all("mpirun", SPECIFICATION, NODES)
    with pytest.raises(InvalidResourceSpecification, match="'nodes'"):
        validate_resource_spec({"num_nodes": 2, "nodes": 2})
    with pytest.raises(InvalidResourceSpecification, match="has to specify its size"):
        validate_resource_spec({})
    validate_resource_spec(SPECIFICATION)
