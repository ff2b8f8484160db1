"""The same Config is loaded again, when its run has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import Config, python_app
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.memoization import BasicMemoizer
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from parsl.executors import MPIExecutor, ThreadPoolExecutor
from parsl.executors.errors import BadStateException
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider
from tests.dataflow.fakes import PromptExecutor
from tests.executors.fakes import FakeExecutor, FakeProvider
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from pathlib import Path

    from parsl.executors.base import ParslExecutor


def config(tmp_path: Path, *executors: ParslExecutor, **options: Any) -> Config:
    return Config(executors=executors, run_dir=str(tmp_path / "r"), **options)


def test_executors_with_and_without_blocks_start_anew(tmp_path: Path) -> None:
    add, where = (
        python_app(tasks.add, executors=["threads"]),
        python_app(tasks.environment, executors=["htex"]),
    )
    htex = executor()
    loaded = config(tmp_path, htex, ThreadPoolExecutor(), strategy="simple")
    directories = []
    for number in range(3):
        with parsl.load(loaded) as kernel:
            assert add(number, b=1).result(timeout=30) == number + 1
            name = "PARSL_WORKER_BLOCK_ID"
            assert where(name).result(timeout=60) == {name: "0"}
            assert list(htex.status_facade) == ["0"]
            assert (htex.run_dir, htex.run_id) == (kernel.run_dir, kernel.run_id)
            directories.append(kernel.run_dir)
        assert htex.status_facade["0"].terminal
    assert len(set(directories)) == 3


def test_an_mpi_executor_starts_anew(tmp_path: Path) -> None:
    provider = LocalProvider(launcher=SimpleLauncher())
    loaded = config(tmp_path, MPIExecutor(provider=provider, max_workers_per_block=1))
    add = python_app(tasks.add)
    for number in range(2):
        with parsl.load(loaded):
            future = add(number, parsl_resource_specification={"num_nodes": 1})
            assert future.result(timeout=60) == number


def test_an_executor_that_has_failed_for_good_starts_anew(tmp_path: Path) -> None:
    htex = executor(launch_cmd="exit 1")
    loaded = config(tmp_path, htex)
    add = python_app(tasks.add)
    with parsl.load(loaded):
        assert isinstance(add(1).exception(timeout=30), BadStateException)
    htex.launch_cmd = executor().launch_cmd
    with parsl.load(loaded):
        assert htex.executor_exception is None
        assert add(1).result(timeout=60) == 1


def test_an_executor_that_could_not_start_can_be_started_later(tmp_path: Path) -> None:
    htex = executor(address="no-such-host.invalid")
    loaded = config(tmp_path, htex)
    with pytest.raises(ConfigurationError, match="no-such-host"):
        parsl.load(loaded)
    htex.address = None
    with parsl.load(loaded):
        assert python_app(tasks.add)(1).result(timeout=60) == 1


def test_an_executor_in_use_is_refused_and_stays_in_use(tmp_path: Path) -> None:
    loaded = config(tmp_path, executor())
    with DataFlowKernel(loaded) as first:
        run_dir = first.run_dir
        with pytest.raises(ConfigurationError, match=rf"'htex' is in use by the run in {run_dir}"):
            DataFlowKernel(loaded)
        assert python_app(tasks.add, data_flow_kernel=first)(1).result(timeout=60) == 1


def test_executors_of_other_packages_start_anew_with_their_blocks(tmp_path: Path) -> None:
    provider = FakeProvider()

    class Other(FakeExecutor):
        def start(self) -> None:
            self.blocks.start()

        def shutdown(self) -> None:
            self.blocks.cancel_all()

    other = Other(provider)
    loaded = config(tmp_path, other, strategy="none")
    for number in (1, 2):
        with DataFlowKernel(loaded):
            assert other.blocks_to_job_id == {"0": f"j{number}"}
            with pytest.raises(ConfigurationError, match="is in use by"):
                DataFlowKernel(loaded)
    assert provider.cancelled == ["j1", "j2"]


def test_an_executor_that_cannot_start_again_is_named(tmp_path: Path) -> None:
    class Once(PromptExecutor):
        is_used = False

        def start(self) -> None:
            if self.is_used:
                raise RuntimeError("threads can only be started once")
            self.is_used = True

    loaded = config(tmp_path, ThreadPoolExecutor(), Once("once"))
    parsl.load(loaded).cleanup()
    with pytest.raises(
        ConfigurationError, match=r"Once 'once' has served a run before.*only be started once"
    ):
        parsl.load(loaded)
    with pytest.raises(NoDataFlowKernelError):
        parsl.dfk()
    parsl.clear()


def test_a_memoizer_continues_from_its_checkpoints(tmp_path: Path) -> None:
    count = tmp_path / "count"

    def note(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        return 7

    app = python_app(note, cache=True)
    loaded = config(tmp_path, ThreadPoolExecutor(), memoizer=BasicMemoizer(checkpoint_mode="task_exit"))
    for _ in range(2):
        with parsl.load(loaded):
            assert app(str(count)).result(timeout=30) == 7
    assert count.read_text() == "x"
