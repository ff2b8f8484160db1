"""RadicalPilotExecutor on local.localhost; pytest runs this module in the environment of RADICAL-Pilot.

A session takes most of a minute on a busy machine: all tests use one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from parsl.executors.base import ParslExecutor
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.executors.radical import RadicalPilotExecutor, ResourceConfig
from parsl.executors.radical.session import SessionProcess, processes_with
from parsl.testing.executor_conformance import ExecutorConformance, add, exit_with, start_and_wait
from tests.support.waiting import wait_until

LIMIT_S = 200


class LastingExecutor(RadicalPilotExecutor):
    """Keeps its session from one run to the next."""

    _lasting: SessionProcess | None = None

    def _forget_tasks(self) -> None:
        numbers = getattr(self, "_numbers", None)
        super()._forget_tasks()
        if numbers is not None:
            self._numbers = numbers  # RADICAL-Pilot accepts a name of a task once in a session

    def connect(self) -> None:
        if self._lasting is None:
            super().connect()
            self._lasting = self._session
        else:
            self._session = self._lasting
            self._files.mkdir(exist_ok=True)

    def disconnect(self) -> None:
        self._session = None

    def end(self) -> None:
        """Close the session."""
        self._session = self._lasting
        super().disconnect()


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LastingExecutor]:
    executor = LastingExecutor(
        "local.localhost",
        working_dir=str(tmp_path_factory.mktemp("pilot")),
        rpex_cfg=ResourceConfig(worker_cores_per_node=2),
        runtime=20,
    )
    yield executor
    executor.end()


def record_rank(directory: str) -> str:
    rank = os.environ["RP_RANK"]
    Path(directory, rank).touch()
    return rank


def start_and_sleep(started: str) -> None:
    import time

    Path(started).touch()
    time.sleep(600)


class TestRadicalPilot(ExecutorConformance):
    cancels_running = True
    unsatisfiable: ClassVar[dict[str, Any] | None] = {"ranks": 99}
    many = 3

    @pytest.fixture(autouse=True)
    def use(self, pilot: LastingExecutor) -> None:
        self.pilot = pilot

    def make_executor(self, directory: Path) -> ParslExecutor:
        return self.pilot

    def test_an_mpi_function_runs_in_all_ranks(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        directory = tmp_path / "ranks"
        directory.mkdir()
        specification = {"ranks": 2, "mode": "task.function"}
        future = self.app(record_rank)(str(directory), parsl_resource_specification=specification)
        assert future.result(LIMIT_S) == "0"
        assert sorted(path.name for path in directory.iterdir()) == ["0", "1"]

    def test_a_process_that_ends_is_a_lost_worker(self, load: Callable[..., Any]) -> None:
        load()
        error = self.app(exit_with)(9).exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert "exit code 9" in str(error)

    def test_a_request_that_nothing_satisfies_does_not_wait_for_tasks_that_run(
        self, load: Callable[..., Any], tmp_path: Path
    ) -> None:
        load()
        started, gate = tmp_path / "started", tmp_path / "gate"
        running = self.app(start_and_wait)(str(started), str(gate))
        wait_until(started.exists)
        with pytest.raises(InvalidResourceSpecification):
            self.app(add)(1, parsl_resource_specification=self.unsatisfiable).result(LIMIT_S)
        gate.touch()
        running.result(LIMIT_S)

    def test_a_wrong_value_is_an_error(self, load: Callable[..., Any]) -> None:
        load()
        with pytest.raises(InvalidResourceSpecification):
            self.app(add)(1, parsl_resource_specification={"ranks": "four"}).result(LIMIT_S)


def test_the_end_of_the_session_fails_all_tasks_and_leaves_nothing(
    pilot: LastingExecutor, tmp_path: Path
) -> None:
    """The last test: there is no session afterwards."""
    pilot.prepare_restart()
    pilot.start()
    session = pilot._session
    assert session is not None
    started = tmp_path / "started"
    task = pilot.submit(start_and_sleep, None, str(started))
    wait_until(started.exists, LIMIT_S)
    session._process.kill()
    assert isinstance(task.exception(LIMIT_S), BadStateException)
    pilot.end()
    wait_until(lambda: not processes_with(session._uid), 20)
