"""The configurations for Aurora on the stand-in for its scheduler: real jobs, managers and tasks."""

import os
import sys
from pathlib import Path

import pytest

import parsl
from parsl.configs import aurora_in_job, aurora_mpi, aurora_tiles
from parsl.testing import install_pals_mpiexec
from parsl.testing.schedulers import AURORA_POLICY, PBSCluster

SOURCES = Path(parsl.__file__).parents[1]
DEADLINE_S = 60
TASKS = 36


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Aurora's scheduler, and a home directory with the environment that jobs activate."""
    home = tmp_path / "home"
    activate = home / "_env" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"export PATH='{Path(sys.executable).parent}':$PATH PYTHONPATH='{SOURCES}'\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("ZE_FLAT_DEVICE_HIERARCHY", raising=False)
    monkeypatch.chdir(tmp_path)
    with PBSCluster(tmp_path / "c", nodes=2, policy=AURORA_POLICY) as cluster:
        cluster.activate(monkeypatch)
        yield cluster


def tile(folder):
    import os
    import time

    mask = os.environ["ZE_AFFINITY_MASK"]
    open(f"{folder}/{os.environ['PARSL_WORKER_RANK']}", "w").close()
    deadline = time.monotonic() + 30
    while len(os.listdir(folder)) < 12 and time.monotonic() < deadline:  # until all workers have one
        time.sleep(0.01)
    return mask


def tiles_seen(config, tmp_path):
    folder = tmp_path / "seen"
    folder.mkdir()
    with parsl.load(config):
        app = parsl.python_app(tile)
        return {future.result(DEADLINE_S) for future in [app(str(folder)) for _ in range(TASKS)]}


def test_each_worker_has_a_tile(site, tmp_path):
    seen = tiles_seen(aurora_tiles("MyProject", environment="~/_env"), tmp_path)
    assert seen == {f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)}
    [job] = site.jobs()
    assert job.queue == "debug"


def test_each_worker_has_a_tile_also_where_tiles_are_devices(site, tmp_path):
    worker_init = "export ZE_FLAT_DEVICE_HIERARCHY=FLAT"
    config = aurora_tiles("MyProject", environment="~/_env", worker_init=worker_init)
    assert tiles_seen(config, tmp_path) == {str(number) for number in range(12)}
    [stderr] = tmp_path.glob("runinfo/000/aurora_tiles/submit_scripts/*.stderr")
    lines = [line for line in stderr.read_text().splitlines() if "ZE_FLAT_DEVICE_HIERARCHY" in line]
    assert len(lines) == 1
    assert "0.1 is 1" in lines[0] or "1.0 is 2" in lines[0] or "0.0 is 0" in lines[0]


def test_mpi_tasks_run_on_their_nodes(site):
    with parsl.load(aurora_mpi("MyProject", environment="~/_env", nodes_per_block=2)):
        app = parsl.bash_app(
            lambda inputs=(), stdout=None, parsl_resource_specification=None: "$PARSL_MPI_PREFIX hostname"
        )
        two = app(stdout="two", parsl_resource_specification={"num_nodes": 2, "ranks_per_node": 3})
        one = app(stdout="one", parsl_resource_specification={"num_nodes": 1, "ranks_per_node": 2})
        assert (two.result(DEADLINE_S), one.result(DEADLINE_S)) == (0, 0)
    counts = [len(Path(name).read_text().split()) for name in ("two", "one")]
    assert counts == [6, 2]


def test_inside_a_job_its_nodes_are_used(tmp_path, monkeypatch):
    nodes = tmp_path / "nodes"
    nodes.write_text(f"{os.uname().nodename}\n")
    install_pals_mpiexec(str(tmp_path / "bin"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PBS_NODEFILE", str(nodes))
    monkeypatch.setenv("PARSL_CORES", "208")
    monkeypatch.chdir(tmp_path)
    assert len(tiles_seen(aurora_in_job(), tmp_path)) == 12
