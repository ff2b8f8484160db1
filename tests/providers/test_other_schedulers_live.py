"""HighThroughputExecutor with the providers for Torque, LSF and HTCondor on their stand-ins."""

import os
import sys
from pathlib import Path

import pytest

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.executors.blocks.notices import BlocksWarning
from parsl.launchers import SingleNodeLauncher
from parsl.providers import CondorProvider, LSFProvider, TorqueProvider
from parsl.testing.schedulers import Policy
from parsl.testing.schedulers.cluster import marked_processes
from tests.support.schedulers.clusters import CondorCluster, LSFCluster, TorqueCluster

SOURCES = Path(parsl.__file__).parents[1]
WORKER_INIT = f"export PATH='{Path(sys.executable).parent}':$PATH PYTHONPATH='{SOURCES}'"
DEADLINE_S = 60
POLICY = Policy(kill_delay_s=2, cpus_per_node=4)


def config(tmp_path, provider):
    executor = HighThroughputExecutor(
        label="htex",
        max_workers_per_node=2,
        cores_per_worker=0.01,
        provider=provider(worker_init=WORKER_INIT, launcher=SingleNodeLauncher()),
    )
    return Config(executors=[executor], run_dir=str(tmp_path / "runinfo"), usage_tracking=0)


@pytest.mark.parametrize(
    ("kind", "provider", "variable"),
    [
        (TorqueCluster, TorqueProvider, "PBS_JOBID"),
        (LSFCluster, LSFProvider, "LSB_JOBID"),
        (CondorCluster, CondorProvider, "_CONDOR_SCRATCH_DIR"),
    ],
)
def test_tasks_run_in_a_job_that_ends_with_the_program(kind, provider, variable, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with kind(tmp_path / "c", 1, policy=POLICY) as cluster:
        cluster.activate(monkeypatch)
        with parsl.load(config(tmp_path, provider)):
            app = parsl.python_app(os.getenv)
            outputs = {future.result(DEADLINE_S) for future in [app(variable) for _ in range(4)]}
        [job] = cluster.jobs()
        assert len(outputs) == 1
        assert str(job.number) in outputs.pop()
        cluster.wait_for(job.number)
    assert marked_processes(cluster.directory) == []


@pytest.mark.parametrize(
    ("kind", "provider", "words"),
    [
        (TorqueCluster, TorqueProvider, "held by the system: the disks are being repaired"),
        (LSFCluster, LSFProvider, "the disks are being repaired"),
        (CondorCluster, CondorProvider, "the disks are being repaired"),
    ],
)
def test_a_held_job_causes_a_warning(kind, provider, words, tmp_path, monkeypatch, wait_until):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with kind(tmp_path / "c", 1, policy=POLICY) as cluster:
        cluster.activate(monkeypatch)
        cluster.set_scheduling(False)

        def hold_the_job_until_the_warning() -> None:
            with parsl.load(config(tmp_path, provider)) as kernel:
                wait_until(cluster.jobs)
                cluster.hold(1, by="s", comment="the disks are being repaired")
                executor = kernel.executors["htex"]
                wait_until(lambda: "1 shown" in repr(executor.blocks.notices), 60)

        with pytest.warns(BlocksWarning, match=f"will not start while the reason remains.*{words}"):
            hold_the_job_until_the_warning()
        cluster.wait_for(1)
