"""TaskVineExecutor: the conformance suite, losses and bad input, with Debian 13's packages in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from parsl import File
from parsl.executors.engines.errors import EngineMismatch
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.taskvine import TaskVineExecutor, TaskVineFactoryConfig, TaskVineManagerConfig
from parsl.executors.taskvine.errors import TaskVineFactoryFailure, TaskVineManagerFailure
from parsl.executors.taskvine.factory import factory_command
from parsl.providers import LocalProvider
from parsl.testing.executor_conformance import ExecutorConformance
from parsl.validate import ParameterError
from tests.support.cctools import use_task_vine

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

LIMIT_S = 100.0

pytestmark = [pytest.mark.linux]


@pytest.fixture
def task_vine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test find TaskVine; skip it where that is not possible."""
    use_task_vine(tmp_path_factory, monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("task_vine")
class TestTaskVine(ExecutorConformance):
    cancels_running = True
    many = 20
    unsatisfiable = {"cores": 99, "memory": 1, "disk": 1}  # noqa: RUF012

    def make_executor(self, directory: Path) -> TaskVineExecutor:
        return TaskVineExecutor(
            worker_launch_method="provider",
            manager_config=TaskVineManagerConfig(address="127.0.0.1"),
            factory_config=TaskVineFactoryConfig(worker_options="--cores=1"),
            provider=LocalProvider(init_blocks=self.workers, max_blocks=self.workers),
        )


@pytest.mark.slow
@pytest.mark.usefixtures("task_vine")
class TestServerless(ExecutorConformance):
    cancels_running = True
    many = 30

    def make_executor(self, directory: Path) -> TaskVineExecutor:
        return make_serverless()


def make_serverless(**manager: Any) -> TaskVineExecutor:
    return TaskVineExecutor(
        function_exec_mode="serverless",
        manager_config=TaskVineManagerConfig(address="127.0.0.1", **manager),
        factory_config=TaskVineFactoryConfig(worker_options="--cores=2"),
    )


@pytest.fixture
def serverless(task_vine: None, tmp_path: Path) -> Iterator[TaskVineExecutor]:
    """An executor of serverless functions with one worker."""
    executor = make_serverless(
        library_config={"cores": 2, "function_slots": 2},
        env_vars={"COLOUR": "red"},
        tune_parameters={
            "transient-error-interval": 1
        },  # how long a worker that lost its server gets no task
    )
    executor.run_dir = str(tmp_path / "run")
    executor.start()
    yield executor
    executor.shutdown()


@pytest.mark.slow
class TestFunctionServers:
    def test_one_server_forks_for_all_functions(self, serverless: TaskVineExecutor) -> None:
        tasks = [serverless.submit(os.getppid, {}) for _ in range(10)]
        assert len({task.result(LIMIT_S) for task in tasks}) == 1
        assert serverless.submit(os.getenv, {}, "COLOUR").result(LIMIT_S) == "red"

    def test_the_loss_of_a_server_fails_its_tasks_alone(
        self, serverless: TaskVineExecutor, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        started = tmp_path / "started"
        task = serverless.submit(start_and_sleep, {}, str(started))
        wait_until(lambda: started.exists() and started.read_text())
        os.kill(int(started.read_text()), signal.SIGKILL)
        assert isinstance(task.exception(LIMIT_S), ManagerLost)
        assert serverless.submit(abs, {}, -1).result(LIMIT_S) == 1

    def test_the_loss_of_a_worker_before_any_call_has_ended(
        self, serverless: TaskVineExecutor, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        started = tmp_path / "started"
        task = serverless.submit(start_and_sleep, {}, str(started))
        wait_until(lambda: started.exists() and started.read_text())
        kill_worker_of(int(started.read_text()))
        assert isinstance(task.exception(LIMIT_S), ManagerLost)

    def test_a_worker_without_parsl_is_named(
        self, task_vine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The worker's Python is another one, and the driver's does not exist there.
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        executor = make_serverless(init_command="PATH=/usr/bin:/bin; unset PYTHONPATH")
        executor.run_dir = str(tmp_path / "run")
        executor.start()
        try:
            error = executor.submit(abs, {}, -1).exception(LIMIT_S)
        finally:
            executor.shutdown()
        assert isinstance(error, EngineMismatch)
        assert "No module named 'parsl'" in str(error)


def kill_worker_of(pid: int) -> None:
    """Kill the worker above a process and all below it, as the loss of its node would."""
    workers = [
        each for each in psutil.Process(pid).parents() if "vine_worker" in "".join(each.cmdline()[-20:])
    ]
    worker = next(each for each in workers if each.name() != "sh")
    for process in [worker, *worker.children(recursive=True)]:
        process.kill()


def start_and_sleep(started: str) -> None:
    Path(started).write_text(str(os.getppid()))
    time.sleep(600)


@pytest.fixture
def executor(task_vine: None, tmp_path: Path) -> Iterator[TaskVineExecutor]:
    """An executor with a factory of one worker."""
    executor = TaskVineExecutor(
        manager_config=TaskVineManagerConfig(address="127.0.0.1"),
        factory_config=TaskVineFactoryConfig(worker_options="--cores=1"),
    )
    executor.run_dir = str(tmp_path / "run")
    executor.start()
    yield executor
    executor.shutdown()


def copy(source: File, outputs: Any = ()) -> None:
    shutil.copyfile(source.filepath, outputs[0].filepath)


@pytest.mark.slow
class TestWithFactory:
    def test_files_travel(self, executor: TaskVineExecutor, tmp_path: Path) -> None:
        source, target = tmp_path / "in.txt", tmp_path / "deep" / "out.txt"
        source.write_text("content")
        executor.submit(copy, {}, File(str(source)), outputs=[File(str(target))]).result(LIMIT_S)
        assert target.read_text() == "content"

    def test_a_task_process_that_ends_is_a_lost_worker(self, executor: TaskVineExecutor) -> None:
        error = executor.submit(os._exit, {}, 7).exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert error.details["exit_code"] == 7

    def test_the_loss_of_a_worker_fails_its_task_and_no_other(
        self, executor: TaskVineExecutor, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        started = tmp_path / "started"
        task, later = executor.submit(start_and_sleep, {}, str(started)), executor.submit(abs, {}, -1)
        wait_until(lambda: started.exists() and started.read_text())
        kill_worker_of(int(started.read_text()))
        assert isinstance(task.exception(LIMIT_S), ManagerLost)
        assert later.result(LIMIT_S) == 1  # on the worker that the factory starts

    def test_the_loss_of_the_manager_process_fails_all_tasks(self, executor: TaskVineExecutor) -> None:
        tasks = [executor.submit(time.sleep, {}, 600) for _ in range(1000)]
        assert executor.manager_pid is not None
        os.kill(executor.manager_pid, signal.SIGKILL)
        for task in tasks:
            assert isinstance(task.exception(LIMIT_S), TaskVineManagerFailure)
        with pytest.raises(BadStateException, match="manager process"):
            executor.submit(abs, {}, -1)

    def test_the_loss_of_the_factory_fails_all_tasks(self, executor: TaskVineExecutor) -> None:
        task = executor.submit(time.sleep, {}, 600)
        assert executor.factory_pid is not None
        os.kill(executor.factory_pid, signal.SIGKILL)
        assert isinstance(task.exception(LIMIT_S), TaskVineFactoryFailure)

    def test_a_request_that_no_worker_of_the_factory_can_satisfy_is_an_error(
        self, executor: TaskVineExecutor
    ) -> None:
        request = {"cores": 99, "memory": 1, "disk": 1}
        task = executor.submit(abs, request, -1)  # before a worker is known
        assert isinstance(task.exception(LIMIT_S), InvalidResourceSpecification)
        with pytest.raises(InvalidResourceSpecification, match="99 cores, and there are 1"):
            executor.submit(abs, request, -1)

    def test_nothing_is_left_behind(self, executor: TaskVineExecutor, wait_until: WaitUntil) -> None:
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1
        pids = [executor.manager_pid, executor.factory_pid]
        executor.shutdown()
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


class TestParameters:
    @pytest.mark.parametrize(
        "wrong",
        [{"worker_launch_method": "magic"}, {"manager_config": 3}, {"factory_config": {}}, {"label": ""}],
        ids=str,
    )
    def test_wrong_values_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            TaskVineExecutor(**wrong)

    def test_a_password_file_must_exist(self) -> None:
        with pytest.raises(TaskVineManagerFailure, match="Could not find password file: /none"):
            TaskVineExecutor(manager_config=TaskVineManagerConfig(project_password_file="/none"))

    @pytest.mark.parametrize("config", [{"colour": 1}, {"cores": 0}, {"function_slots": "two"}, 3], ids=str)
    def test_a_library_config_has_whole_numbers(self, config: Any) -> None:
        with pytest.raises(ParameterError, match="library_config"):
            TaskVineExecutor(manager_config=TaskVineManagerConfig(library_config=config))

    def test_the_configured_size_of_workers_limits_requests(self) -> None:
        executor = TaskVineExecutor(factory_config=TaskVineFactoryConfig(cores=4, batch_type="slurm"))
        with pytest.raises(InvalidResourceSpecification, match="5 cores, and there are 4"):
            executor.read_request({"cores": 5, "memory": 1, "disk": 1})
        assert executor.read_request({"cores": 4, "memory": 9**9, "disk": 1}).cores == 4

    def test_serverless_functions_have_no_resources_of_their_own(self) -> None:
        executor = TaskVineExecutor(function_exec_mode="serverless")
        with pytest.raises(InvalidResourceSpecification, match="library_config"):
            executor.read_request({"cores": 1, "memory": 1, "disk": 1})
        assert executor.read_request({"priority": 2}).priority == 2

    def test_an_algorithm_must_be_known(self) -> None:
        with pytest.raises(ParameterError, match="autolabel_algorithm"):
            TaskVineExecutor(manager_config=TaskVineManagerConfig(autolabel_algorithm="magic"))


def test_the_command_of_a_factory() -> None:
    config = TaskVineFactoryConfig(cores=4, batch_type="slurm", _project_address="head", _project_port=9)
    command = factory_command(config, "/scratch")
    assert command[0] == "vine_factory"
    assert {"--cores=4", "--batch-type=slurm", "--scratch-dir=/scratch"} < set(command)
    assert command[-2:] == ["head", "9"]
    named = factory_command(TaskVineFactoryConfig(_project_name="mine"), "/scratch")
    assert named[-1] == "--manager-name=mine"
