"""The environment of MPI tasks, with few and with very many nodes."""

from __future__ import annotations

import os
from pathlib import Path

from parsl.executors.high_throughput.driver.resource_specification import MAX_OPTIONS
from parsl.executors.high_throughput.manager.mpi_tasks import HostFiles, needs_host_file, task_environment
from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Resources, Task, Work, encode
from parsl.executors.high_throughput.wire.worker_channel import PACKET_LIMIT


def names(count: int) -> list[str]:
    """Names as long as those of Aurora."""
    return [f"x{4000 + number}c0s0b0n0.hsn.cm.aurora.alcf.anl.gov" for number in range(count)]


def test_the_environment_names_size_nodes_and_launch_commands() -> None:
    assert task_environment("srun", Resources(2, 12, 24, "-d 8"), ["x1", "x2"], None) == {
        "PARSL_NUM_NODES": "2",
        "PARSL_RANKS_PER_NODE": "12",
        "PARSL_NUM_RANKS": "24",
        "PARSL_MPI_NODELIST": "x1,x2",
        "PARSL_LAUNCHER_OPTIONS": "-d 8",
        "PARSL_MPI_PREFIX": "srun --ntasks 24 --ntasks-per-node 12 --nodelist x1,x2 --nodes 2 -d 8",
        "PARSL_SRUN_PREFIX": "srun --ntasks 24 --ntasks-per-node 12 --nodelist x1,x2 --nodes 2 -d 8",
        "PARSL_MPIEXEC_PREFIX": "mpiexec -n 24 -ppn 12 -hosts x1,x2 -d 8",
        "PARSL_APRUN_PREFIX": "aprun -n 24 -N 12 -node-list x1,x2 -d 8",
    }
    assert "PARSL_LAUNCHER_OPTIONS" not in task_environment("srun", Resources(1, 1, 1), ["x1"], None)


def test_a_long_list_is_also_in_a_file_and_a_very_long_one_only_there() -> None:
    assert not needs_host_file(names(150))
    assert needs_host_file(names(300))
    found = task_environment("mpiexec", Resources(300, 12, 3600), names(300), "/run/hosts-1")
    assert found["PARSL_MPI_PREFIX"] == "mpiexec -n 3600 -ppn 12 --hostfile /run/hosts-1 "
    assert found["PARSL_MPI_HOSTFILE"] == "/run/hosts-1"
    assert found["PARSL_MPI_NODELIST"].count(",") == 299
    found = task_environment("mpiexec", Resources(10_000, 12, 120_000), names(10_000), "/run/hosts-1")
    assert "PARSL_MPI_NODELIST" not in found


def test_a_task_of_any_size_fits_into_a_packet_to_its_worker() -> None:
    payload = b"p" * (INLINE_LIMIT // 2)
    for count in (1, 170, 300, 1000, 10_000):
        nodes = names(count)
        file = f"/run/{'d' * 200}/hosts-1" if needs_host_file(nodes) else None
        resources = Resources(count, 12, 12 * count, "o" * MAX_OPTIONS)
        environment = task_environment("mpiexec", resources, nodes, file)
        task = Task(1, b"f" * 16, b"a" * INLINE_LIMIT, resources=resources)
        assert len(encode(Work(task, payload, environment=environment))) < PACKET_LIMIT


def test_a_host_file_exists_as_long_as_its_task(tmp_path: Path) -> None:
    files = HostFiles(str(tmp_path / "log"))
    path = files.write(7, ["x1", "x2"])
    assert path == str(tmp_path / "log" / "hosts-7")
    assert Path(path).read_text() == "x1\nx2\n"
    other = files.write(8, ["x3"])
    assert repr(files) == "<HostFiles files=2>"
    files.remove(7)
    files.remove(7)
    assert not os.path.exists(path)
    os.unlink(other)
    files.close()
    assert repr(files) == "<HostFiles files=0>"


def test_the_path_of_a_host_file_needs_no_quoting(tmp_path: Path) -> None:
    files = HostFiles(str(tmp_path / "my runs" / "*"))
    path = files.write(7, ["x1"])
    assert " " not in path
    assert os.path.exists(path)
    files.close()
    assert not os.path.exists(os.path.dirname(path))
