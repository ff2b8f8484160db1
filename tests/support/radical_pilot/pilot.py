"""RadicalPilotExecutor on local.localhost; pytest runs this module in the environment of RADICAL-Pilot.

A session takes most of a minute on a busy machine: the module opens one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from parsl import Config, DataFlowKernel, bash_app, python_app
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.executors.radical import RadicalPilotExecutor, ResourceConfig
from parsl.executors.radical.session import processes_with
from parsl.testing.executor_conformance import CustomError, add, echo, exit_with, fail_with_cause
from tests.support.waiting import wait_until

LIMIT_S = 200


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadicalPilotExecutor]:
    executor = RadicalPilotExecutor(
        "local.localhost", bulk_mode=True, rpex_cfg=ResourceConfig(worker_cores_per_node=2), runtime=20
    )
    directory = tmp_path_factory.mktemp("pilot")
    with DataFlowKernel(Config(executors=[executor], run_dir=str(directory), strategy="none")) as kernel:
        executor.kernel = kernel  # type: ignore[attr-defined]
        yield executor


def run(executor: RadicalPilotExecutor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function as an app of the module's kernel."""
    return python_app(function, data_flow_kernel=executor.kernel)(*args, **kwargs)  # type: ignore[attr-defined]


def test_results(executor: RadicalPilotExecutor) -> None:
    futures = [run(executor, add, number, b=1) for number in range(8)]
    assert [future.result(LIMIT_S) for future in futures] == list(range(1, 9))


def test_an_error_keeps_its_type_and_cause(executor: RadicalPilotExecutor) -> None:
    error = run(executor, fail_with_cause).exception(LIMIT_S)
    assert type(error) is CustomError
    assert isinstance(error.__cause__, KeyError)


def test_bash_apps(executor: RadicalPilotExecutor, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    assert bash_app(echo, data_flow_kernel=executor.kernel)("hello", stdout=str(out)).result(LIMIT_S) == 0
    assert out.read_text() == "hello\n"


def test_an_mpi_function_runs_in_all_ranks(executor: RadicalPilotExecutor, tmp_path: Path) -> None:
    def record(directory: str) -> str:
        import os
        from pathlib import Path

        rank = os.environ["RP_RANK"]
        Path(directory, rank).touch()
        return rank

    specification = {"ranks": 2, "mode": "task.function"}
    future = run(executor, record, str(tmp_path), parsl_resource_specification=specification)
    assert future.result(LIMIT_S) == "0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_a_process_that_ends_is_a_lost_worker(executor: RadicalPilotExecutor) -> None:
    error = run(executor, exit_with, 9).exception(LIMIT_S)
    assert isinstance(error, WorkerLost)
    assert "exit code 9" in str(error)


@pytest.mark.parametrize("specification", [{"no_such_key": 1}, {"ranks": 99}, {"ranks": "four"}])
def test_what_the_pilot_cannot_do_is_an_error(
    executor: RadicalPilotExecutor, specification: dict[str, Any]
) -> None:
    with pytest.raises(InvalidResourceSpecification):
        run(executor, add, 1, parsl_resource_specification=specification).result(LIMIT_S)


def test_a_running_task_is_cancelled(executor: RadicalPilotExecutor, tmp_path: Path) -> None:
    started = tmp_path / "started"
    future = run(executor, _start_and_sleep, str(started))
    wait_until(started.exists, LIMIT_S)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(LIMIT_S)
    assert run(executor, add, 1).result(LIMIT_S) == 1


def _start_and_sleep(started: str) -> None:
    import time
    from pathlib import Path

    Path(started).touch()
    time.sleep(600)


def test_the_end_of_the_session_fails_all_tasks_and_leaves_nothing(executor: RadicalPilotExecutor) -> None:
    session = executor._session
    assert session is not None
    future = run(executor, _start_and_sleep, os.devnull)
    session._process.kill()
    assert isinstance(future.exception(LIMIT_S), BadStateException)
    executor.shutdown()
    wait_until(lambda: not processes_with(session._uid), 20)
