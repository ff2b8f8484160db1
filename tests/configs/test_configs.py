"""The ready-made configurations follow the guides of the machines, and name wrong parameters."""

import os
import runpy
from pathlib import Path

import pytest

import parsl.configs
from parsl import Config
from parsl.configs import (
    aurora_in_job,
    aurora_mpi,
    aurora_tiles,
    polaris,
    slurm,
    slurm_mpi,
    this_machine,
)
from parsl.errors import ConfigurationError
from parsl.executors import MPIExecutor
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SrunLauncher
from parsl.providers import LocalProvider
from parsl.validate import ParameterError

GUIDE = Path(__file__).parents[1] / "providers" / "aurora_guide"
BATCH = [
    (aurora_tiles, {"account": "x"}),
    (aurora_mpi, {"account": "x"}),
    (polaris, {"account": "x"}),
    (slurm, {}),
    (slurm_mpi, {}),
]


def parts(config):
    [executor] = config.executors
    return executor, executor.provider


def script(provider):
    return list(provider.preview("COMMAND").values())[-1]


def test_the_tiles_of_aurora_are_those_of_its_guide():
    guide = runpy.run_path(str(GUIDE / "config.py"))["aurora_single_tile_config"]
    config = aurora_tiles("Aurora_deployment", environment="$HOME/_env")
    (theirs, their_provider), (ours, our_provider) = parts(guide), parts(config)
    for name in ("available_accelerators", "max_workers_per_node", "cpu_affinity", "prefetch_capacity"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in vars(their_provider):
        if not name.startswith("_") and name not in ("launcher", "worker_init"):
            assert getattr(our_provider, name) == getattr(their_provider, name), name
    assert repr(our_provider.launcher) == repr(their_provider.launcher)
    assert our_provider.worker_init == f'source "$HOME/_env/bin/activate"\ncd {os.getcwd()}'
    assert config.retries == guide.retries == 1


def test_mpi_ensembles_of_aurora():
    executor, provider = parts(aurora_mpi("x", nodes_per_block=10, nodes_per_task=2, queue="prod"))
    assert isinstance(executor, MPIExecutor)
    assert executor.max_workers_per_block == 5
    assert executor.max_launches_per_block == 1000
    assert type(provider.launcher) is SimpleLauncher
    text = script(provider)
    assert "#PBS -l select=10:ncpus=208\n" in text
    assert "#PBS -l filesystems=home:flare\n" in text
    assert "#PBS -q prod\n" in text
    assert parts(aurora_mpi("x", nodes_per_block=1))[0].max_launches_per_block is None


def test_aurora_inside_a_job(tmp_path, monkeypatch):
    nodes = tmp_path / "nodes"
    nodes.write_text("x1.hsn.example\nx1.hsn.example\nx2.hsn.example\n")
    monkeypatch.setenv("PBS_NODEFILE", str(nodes))
    executor, provider = parts(aurora_in_job())
    assert type(provider) is LocalProvider
    assert provider.nodes_per_block == 2
    assert type(provider.launcher) is MpiExecLauncher
    assert executor.max_workers_per_node == 12
    assert parts(aurora_in_job(nodes=1))[1].nodes_per_block == 1
    for wrong in (0, 3):
        with pytest.raises(ParameterError, match="nodes"):
            aurora_in_job(nodes=wrong)


def test_a_node_file_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("PBS_NODEFILE", raising=False)
    with pytest.raises(ConfigurationError, match=r"PBS_NODEFILE is not set.*aurora_tiles"):
        aurora_in_job()
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="missing, which cannot be read"):
        aurora_in_job()
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "empty"))
    with pytest.raises(ConfigurationError, match="empty"):
        aurora_in_job()


def test_polaris_has_a_worker_for_each_gpu():
    executor, provider = parts(polaris("x", nodes_per_block=2))
    assert executor.available_accelerators == ["0", "1", "2", "3"]
    assert "#PBS -l select=2:ncpus=64:ngpus=4\n" in script(provider)
    assert provider.launcher.overrides == "--depth=64 --ppn 1"


def test_any_slurm_cluster():
    executor, provider = parts(
        slurm(account="a", partition="gpu", gpus_per_node=4, provider_options={"qos": "debug"})
    )
    assert executor.available_accelerators == ["0", "1", "2", "3"]
    assert type(provider.launcher) is SrunLauncher
    text = script(provider)
    for line in ("--partition=gpu", "--account=a", "--qos=debug", "--gpus-per-node=4", "--time=00:30:00"):
        assert f"#SBATCH {line}\n" in text
    mpi, _ = parts(slurm_mpi(nodes_per_block=4))
    assert (mpi.mpi_launcher, mpi.max_workers_per_block) == ("srun", 4)


def test_this_machine_has_the_requested_number_of_workers():
    executor, provider = parts(this_machine(workers=64))
    assert executor.max_workers_per_node == 64
    assert executor.cores_per_worker * 64 < 1
    assert type(provider) is LocalProvider
    assert parts(this_machine())[0].cores_per_worker == 1


@pytest.mark.parametrize(("function", "needed"), BATCH)
def test_options_of_the_configuration_are_passed_on(function, needed, tmp_path):
    config = function(**needed, run_dir=str(tmp_path), retries=3, label="mine")
    assert isinstance(config, Config)
    assert (config.run_dir, config.retries) == (str(tmp_path), 3)
    assert config.executors[0].label == "mine"
    assert function(**needed).retries == 1


@pytest.mark.parametrize(("function", "needed"), BATCH)
@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes_per_block": 0},
        {"account": ""},
        {"account": "two words"},
        {"walltime": "soon"},
        {"walltime": "0"},
        {"min_blocks": 2, "max_blocks": 1},
        {"environment": 3},
        {"worker_init": None},
        {"label": ""},
    ],
    ids=repr,
)
def test_a_wrong_parameter_is_named(function, needed, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        function(**{**needed, **wrong})


@pytest.mark.parametrize(("function", "needed"), [*BATCH, (this_machine, {})])
def test_a_mistyped_parameter_is_refused_with_a_suggestion(function, needed):
    for mistyped, meant in {"run_dri": "run_dir", "worker_intt": "worker_init"}.items():
        with pytest.raises(TypeError, match=f"{function.__name__}: .*{mistyped}.*Did you mean {meant}"):
            function(**needed, **{mistyped: "x"})
    with pytest.raises(ParameterError, match="unexpected keyword argument 'executors'"):
        function(**needed, executors=[])


@pytest.mark.parametrize("function", [aurora_tiles, polaris])
@pytest.mark.parametrize(
    "wrong",
    [{"queue": ""}, {"filesystems": ""}, {"filesystems": "home:"}, {"filesystems": "a,b"}, {"account": None}],
)
def test_jobs_that_pbs_would_refuse_are_refused_early(function, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        function(**{"account": "x", **wrong})


@pytest.mark.parametrize("function", [aurora_mpi, slurm_mpi])
@pytest.mark.parametrize("nodes_per_task", [0, 5, "2"])
def test_tasks_larger_than_a_job_are_refused(function, nodes_per_task):
    account = {"account": "x"} if function is aurora_mpi else {}
    with pytest.raises(ParameterError, match="nodes_per_task"):
        function(nodes_per_block=4, nodes_per_task=nodes_per_task, **account)


def test_tutorials_find_their_configurations():
    from parsl.configs.htex_local import config as processes
    from parsl.configs.local_threads import config as threads

    assert processes.executors[0].label == "htex_local"
    assert threads.executors[0].label == "threads"


def test_names_are_resolved_late():
    assert set(parsl.configs.__all__) <= set(dir(parsl.configs))
    with pytest.raises(AttributeError, match="aurora_tiles"):
        _ = parsl.configs.frontier


def test_a_task_runs_on_this_machine(tmp_path):
    with parsl.load(this_machine(workers=2, run_dir=str(tmp_path))):
        assert parsl.python_app(pow)(2, 5).result(30) == 32
