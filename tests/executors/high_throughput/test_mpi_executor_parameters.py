"""The parameters that an MPIExecutor accepts, and its errors for others."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from parsl.errors import ConfigurationError
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver import parameters as parameters_module
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SingleNodeLauncher
from parsl.providers import LocalProvider


@pytest.fixture(autouse=True)
def _outside_of_any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PBS_NODEFILE", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(variable, raising=False)


def local(**options: Any) -> LocalProvider:
    return LocalProvider(launcher=SimpleLauncher(), **options)


def test_the_executor_is_importable_from_its_public_paths() -> None:
    from parsl.executors.high_throughput.mpi_executor import MPIExecutor as found

    assert found is MPIExecutor
    assert issubclass(MPIExecutor, HighThroughputExecutor)


def test_the_parameters_are_those_of_upstream_and_two_more() -> None:
    parameters = inspect.signature(MPIExecutor).parameters
    assert list(parameters)[11:14] == ["worker_debug", "max_workers_per_block", "prefetch_capacity"]
    assert list(parameters)[-6:] == [
        "mpi_launcher",
        "block_error_handler",
        "encrypted",
        "remote_monitoring_radio",
        "max_launches_per_block",
        "max_ranks_per_node",
    ]
    assert parameters["encrypted"].default is False
    assert parameters["max_workers_per_block"].default == 1


def test_type_checkers_know_every_inherited_parameter() -> None:
    nodes = ast.walk(ast.parse(inspect.getsource(parameters_module)))
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    options = classes["InheritedOptions"]
    known = {ast.unparse(field.target) for field in options.body if isinstance(field, ast.AnnAssign)}
    shared = inspect.signature(MPIExecutor).parameters.keys()
    shared &= inspect.signature(HighThroughputExecutor).parameters.keys()
    assert known == shared - {"label", "provider", "encrypted"}  # those have other defaults


def test_the_default_provider_runs_on_this_host() -> None:
    executor = MPIExecutor()
    assert executor.enable_mpi_mode
    assert executor.label == "MPIExecutor"
    assert isinstance(executor.provider, LocalProvider)
    assert not executor.monitor_resources()


def test_the_number_of_tasks_in_a_block_does_not_depend_on_its_nodes() -> None:
    executor = MPIExecutor(max_workers_per_block=5, provider=local(nodes_per_block=10))
    assert executor.workers_per_block == executor.workers_per_node == 5


@pytest.mark.parametrize("launcher", [SingleNodeLauncher(), MpiExecLauncher()], ids=repr)
def test_only_the_simple_launcher_fits(launcher: Any) -> None:
    with pytest.raises(TypeError, match=r"provider.launcher is .*Launcher.*expected SimpleLauncher\(\)"):
        MPIExecutor(provider=LocalProvider(launcher=launcher))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"mpi_launcher": "mpirun"}, ValueError, "mpi_launcher is 'mpirun'.*'srun', 'aprun', 'mpiexec'"),
        ({"max_workers_per_block": 0}, ValueError, "max_workers_per_block is 0"),
        ({"max_workers_per_block": None}, TypeError, "max_workers_per_block is None"),
        ({"max_launches_per_block": 0}, ValueError, "max_launches_per_block is 0"),
        ({"max_ranks_per_node": 0}, ValueError, "max_ranks_per_node is 0"),
        ({"max_launches_per_block": "many"}, TypeError, "max_launches_per_block is 'many'"),
    ],
)
def test_wrong_parameters_are_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        MPIExecutor(provider=local(), **options)


def test_a_specification_is_checked_against_the_block() -> None:
    executor = MPIExecutor(provider=local(nodes_per_block=4))
    executor.validate_resource_spec({"num_nodes": 4, "priority": 3, "walltime_s": 5})
    for wrong, words in (
        ({}, "has to specify its size"),
        ({"priority": 1}, "has to specify its size"),
        ({"num_nodes": 5}, "5 nodes, but a block has 4"),
        ({"num_nodes": 1, "nodes": 1}, "{'nodes'}. MPIExecutor knows only launcher_options, num_nodes"),
        ({"num_nodes": 1, "priority": "high"}, "priority must be a number"),
    ):
        with pytest.raises(InvalidResourceSpecification, match=words):
            executor.validate_resource_spec(wrong)
    with pytest.raises(InvalidResourceSpecification, match="has to specify its size"):
        executor.submit(print, {})


class TestInsideAJob:
    @pytest.fixture(autouse=True)
    def _node_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = tmp_path / "nodes"
        self.file.write_text("x1\nx2\nx3\n")
        monkeypatch.setenv("PBS_NODEFILE", str(self.file))

    def test_a_task_can_request_all_nodes_of_the_job(self) -> None:
        executor = MPIExecutor(provider=local())
        executor.validate_resource_spec({"num_nodes": 3})
        with pytest.raises(InvalidResourceSpecification, match="a block has 3 nodes"):
            executor.validate_resource_spec({"num_nodes": 4})

    def test_a_second_block_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"provider.max_blocks is 2.*use the same nodes"):
            MPIExecutor(provider=local(max_blocks=2))

    def test_a_node_file_that_is_empty_or_missing_is_an_error(self) -> None:
        self.file.write_text("")
        with pytest.raises(ConfigurationError, match="nodes, which is empty"):
            MPIExecutor(provider=local())
        self.file.unlink()
        with pytest.raises(ConfigurationError, match="nodes, which cannot be read"):
            MPIExecutor(provider=local())

    def test_nodes_set_by_worker_init_are_only_known_in_the_block(self) -> None:
        executor = MPIExecutor(provider=local(worker_init="export PBS_NODEFILE=/elsewhere"))
        executor.validate_resource_spec({"num_nodes": 400})
