"""WorkQueueExecutor beyond what the conformance suite tests: losses, bad input, files, environments."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl import File
from parsl.common.processes import kill_tree
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.executors import WorkQueueExecutor
from parsl.executors.cctools import interpreters
from parsl.executors.engines.errors import EngineMismatch, EngineTaskError, WaitingTaskWarning
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.workqueue.errors import WorkQueueFailure, WorkQueueTaskFailure
from parsl.providers import LocalProvider
from parsl.validate import ParameterError
from tests.support.cctools import needs_work_queue

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

LIMIT_S = 100.0

#: The executor of a test has only the workers that the test starts.
NO_BLOCKS = LocalProvider(init_blocks=0, max_blocks=0)

pytestmark = [pytest.mark.linux]


def read(file: File) -> str:
    return Path(file.filepath).read_text()


def write(text: str, outputs: Any = ()) -> None:
    Path(outputs[0].filepath).write_text(text)


def write_nothing(outputs: Any = ()) -> None:
    return None


def variable(name: str) -> str | None:
    return os.environ.get(name)


def wait_for_file(path: str) -> None:
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


class Workers:
    """Starts executors and their workers, and ends them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._executors: list[WorkQueueExecutor] = []
        self._workers: list[subprocess.Popen[bytes]] = []

    def executor(self, **parameters: Any) -> WorkQueueExecutor:
        parameters = {"address": "127.0.0.1", "full_debug": False, "provider": NO_BLOCKS, **parameters}
        executor = WorkQueueExecutor(**parameters)
        executor.run_dir = str(self._directory / "run")
        self._executors.append(executor)
        executor.start()
        return executor

    def worker(self, executor: WorkQueueExecutor, password_file: str = "") -> subprocess.Popen[bytes]:
        command = f"{executor.launch_command('0')} --cores=1 --workdir={self._directory}"
        if password_file:
            command += f" --password={password_file}"
        worker = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._workers.append(worker)
        return worker

    def end(self) -> None:
        for worker in self._workers:
            kill(worker)
        for executor in self._executors:
            executor.shutdown()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    yield workers
    workers.end()


slow = [pytest.mark.slow, needs_work_queue]


class TestParameters:
    @pytest.mark.parametrize(
        "wrong",
        [{"port": -1}, {"label": ""}, {"env": 3}, {"max_retries": 0}, {"provider": 4}, {"shared_fs": 1}],
        ids=str,
    )
    def test_wrong_values_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            WorkQueueExecutor(**wrong)

    def test_a_password_file_must_exist(self) -> None:
        with pytest.raises(WorkQueueFailure, match="Could not find password file: /none"):
            WorkQueueExecutor(project_name="p", project_password_file="/none")

    def test_a_coprocess_is_refused_with_advice(self) -> None:
        with pytest.raises(ConfigurationError, match="HighThroughputExecutor"):
            WorkQueueExecutor(coprocess=True)

    def test_a_module_that_no_python_has_is_named_with_the_line_to_type(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv(interpreters.VARIABLE, f"{sys.executable} -I")
        monkeypatch.setattr(WorkQueueExecutor, "modules", ("no_such_work_queue",))
        executor = WorkQueueExecutor()
        executor.run_dir = str(tmp_path)
        with pytest.raises(OptionalModuleMissing, match=r"(?s)apt-get install.*no_such_work_queue"):
            executor.start()

    def test_resources_are_requested_together(self) -> None:
        executor = WorkQueueExecutor()
        with pytest.raises(InvalidResourceSpecification, match=r"cores, memory .* or none"):
            executor.read_request({"cores": 1})
        with pytest.raises(InvalidResourceSpecification, match="no_such"):
            executor.read_request({"no_such": 1})
        request = executor.read_request({"cores": 1, "memory": 2, "disk": 3, "category": "x", "gpus": 1})
        assert (request.cores, request.memory, request.disk, request.category) == (1, 2, 3, "x")
        assert executor.read_request({"priority": 3, "running_time_min": 60}).running_time_min == 60
        assert WorkQueueExecutor(autolabel=True).read_request({"cores": 1}).cores == 1


class TestEnvironments:
    pytestmark = slow

    def test_packing_needs_conda(self, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CONDA_PREFIX", raising=False)
        with pytest.raises(ConfigurationError, match="conda activate"):
            workers.executor(pack=True)

    def test_an_environment_is_packed_and_tasks_run_in_it(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        tools = tmp_path / "tools"
        tools.mkdir()
        for name, text in (
            ("conda-pack", 'for a; do [ "$last" = --output ] && echo packed > "$a"; last=$a; done'),
            ("poncho_package_run", f'shift 2; shift; PACKED=yes exec {sys.executable} "$@"'),
        ):
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        monkeypatch.setenv("CONDA_PREFIX", "/env")
        executor = workers.executor(pack=True)
        workers.worker(executor)
        assert executor.submit(variable, {}, "PACKED").result(LIMIT_S) == "yes"

    def test_variables_and_a_command_come_before_the_task(self, workers: Workers) -> None:
        python = os.path.dirname(sys.executable)
        executor = workers.executor(env={"FIRST": "1"}, init_command=f"export SECOND=2 PATH={python}:$PATH; ")
        workers.worker(executor)
        assert executor.submit(variable, {}, "FIRST").result(LIMIT_S) == "1"
        assert executor.submit(variable, {}, "SECOND").result(LIMIT_S) == "2"

    def test_a_worker_without_parsl_is_named(self, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
        # The worker's Python is another one, and the driver's does not exist there.
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        executor = workers.executor(init_command="PATH=/usr/bin:/bin; unset PYTHONPATH")
        workers.worker(executor)
        error = executor.submit(abs, {}, -1).exception(LIMIT_S)
        assert isinstance(error, EngineMismatch)
        assert "pip install PATH" in str(error)
        assert "No module named 'parsl'" in str(error)


class TestFiles:
    pytestmark = slow

    def test_inputs_and_outputs_travel(self, workers: Workers, tmp_path: Path) -> None:
        executor = workers.executor()
        workers.worker(executor)
        source, target = tmp_path / "in.txt", tmp_path / "deep" / "out.txt"
        source.write_text("content")
        assert executor.submit(read, {}, File(str(source))).result(LIMIT_S) == "content"
        executor.submit(write, {}, "written", outputs=[File(str(target))]).result(LIMIT_S)
        assert target.read_text() == "written"

    def test_files_that_are_missing_are_errors(self, workers: Workers, tmp_path: Path) -> None:
        executor = workers.executor()
        workers.worker(executor)
        error = executor.submit(read, {}, File(str(tmp_path / "none"))).exception(LIMIT_S)
        assert isinstance(error, WorkQueueTaskFailure)
        assert "input file does not exist" in str(error)
        error = executor.submit(write_nothing, {}, outputs=[File(str(tmp_path / "o"))]).exception(LIMIT_S)
        assert isinstance(error, WorkQueueTaskFailure)
        assert "not created all of its output files" in str(error)
        assert error.status == "OUTPUT_MISSING"

    def test_a_shared_file_system_needs_no_transfers(self, workers: Workers, tmp_path: Path) -> None:
        executor = workers.executor(shared_fs=True, working_dir=str(tmp_path))
        workers.worker(executor)
        (tmp_path / "in.txt").write_text("shared")
        assert executor.submit(read, {}, File("in.txt")).result(LIMIT_S) == "shared"
        assert executor.submit(os.getcwd, {}).result(LIMIT_S) == str(tmp_path)

    def test_the_directory_of_functions_is_emptied(self, workers: Workers, tmp_path: Path) -> None:
        executor = workers.executor(function_dir=str(tmp_path / "functions"))
        workers.worker(executor)
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1
        assert list((tmp_path / "functions").rglob("*.*")) == []
        executor.shutdown()
        assert list((tmp_path / "functions").iterdir()) == []


class TestLosses:
    pytestmark = slow

    def test_the_loss_of_the_manager_process_fails_all_tasks_and_later_ones(self, workers: Workers) -> None:
        executor = workers.executor()
        tasks = [executor.submit(abs, {}, -1) for _ in range(1000)]
        os.kill(manager_pid(executor), signal.SIGKILL)
        for task in tasks:
            error = task.exception(LIMIT_S)
            assert isinstance(error, WorkQueueFailure)
            assert "signal 9" in str(error)
        with pytest.raises(BadStateException, match="manager process"):
            executor.submit(abs, {}, -1)

    def test_the_loss_of_a_worker_fails_its_task(
        self, workers: Workers, wait_until: WaitUntil, tmp_path: Path
    ) -> None:
        executor = workers.executor()
        worker = workers.worker(executor)
        started = tmp_path / "started"
        task = executor.submit(start_and_wait, {}, str(started), str(tmp_path / "gate"))
        wait_until(started.exists)
        kill(worker)
        assert isinstance(task.exception(LIMIT_S), (WorkerLost, ManagerLost))  # the first to be noticed
        workers.worker(executor)
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1

    def test_a_task_process_that_ends_is_a_lost_worker(self, workers: Workers) -> None:
        executor = workers.executor()
        workers.worker(executor)
        error = executor.submit(os._exit, {}, 7).exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert error.details["exit_code"] == 7
        error = executor.submit(kill_itself, {}).exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert "signal 9" in str(error)

    def test_nothing_is_left_behind(self, workers: Workers) -> None:
        executor = workers.executor()
        worker = workers.worker(executor)
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1
        pid = manager_pid(executor)
        executor.shutdown()
        assert not os.path.exists(f"/proc/{pid}")
        worker.wait(LIMIT_S)

    def test_a_port_in_use_is_an_error_at_the_start(self, workers: Workers) -> None:
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            with pytest.raises(WorkQueueFailure, match="could not start"):
                workers.executor(port=taken.getsockname()[1])

    def test_two_executors_have_their_own_queues(self, workers: Workers) -> None:
        first, second = workers.executor(label="first"), workers.executor(label="second")
        workers.worker(second)
        waiting = first.submit(abs, {}, -1)
        assert second.submit(abs, {}, -2).result(LIMIT_S) == 2
        assert waiting.cancel()

    def test_executors_that_share_a_function_dir_leave_its_files_alone(
        self, workers: Workers, tmp_path: Path
    ) -> None:
        shared = tmp_path / "functions"
        kept = shared / "WorkQueueExecutor" / "kept"
        kept.parent.mkdir(parents=True)
        kept.touch()
        first, second = (workers.executor(function_dir=str(shared)) for _ in range(2))
        first.shutdown()
        workers.worker(second)
        assert second.submit(abs, {}, -1).result(LIMIT_S) == 1
        second.shutdown()
        assert [path.name for path in shared.iterdir()] == ["WorkQueueExecutor"]
        assert kept.exists()

    def test_an_outcome_that_cannot_be_read_fails_its_task_alone(
        self, workers: Workers, tmp_path: Path
    ) -> None:
        shared = tmp_path / "functions"
        executor = workers.executor(function_dir=str(shared), shared_fs=True)
        task = executor.submit(abs, {}, -1)
        (call,) = shared.glob("*/*.call")
        call.with_suffix(".outcome").mkdir()
        workers.worker(executor)
        assert isinstance(task.exception(LIMIT_S), EngineTaskError)
        assert executor.submit(abs, {}, -2).result(LIMIT_S) == 2

    def test_a_comment_of_init_command_ends_with_its_line(self, workers: Workers) -> None:
        executor = workers.executor(init_command="export GREETING=hello  # for the tasks", autolabel=True)
        workers.worker(executor)
        assert executor.submit(variable, {}, "GREETING").result(LIMIT_S) == "hello"

    def test_workers_need_the_password(self, workers: Workers, tmp_path: Path, wait_until: WaitUntil) -> None:
        secret, other = tmp_path / "secret", tmp_path / "other"
        secret.write_text("right")
        other.write_text("wrong")
        executor = workers.executor(project_password_file=str(secret))
        workers.worker(executor, password_file=str(other))
        task = executor.submit(abs, {}, -1)
        workers.worker(executor)
        assert task.result(LIMIT_S) == 1
        wait_until(lambda: executor.current_slots() == 1)

    def test_workers_of_blocks_need_a_password_of_the_run(self, workers: Workers) -> None:
        executor = workers.executor(provider=LocalProvider(init_blocks=0, max_blocks=1))
        password_file = executor.contact.password_file
        assert password_file is not None
        assert stat.S_IMODE(os.stat(password_file).st_mode) == 0o600
        command = ["work_queue_worker", "127.0.0.1", str(executor.bound_port), "--single-shot", "-t", "5"]
        unknown = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert "password" in unknown.stdout + unknown.stderr
        workers.worker(executor)
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1

    def test_a_request_that_no_worker_can_satisfy_does_not_wait(self, workers: Workers) -> None:
        executor = workers.executor(provider=LocalProvider(init_blocks=0, max_blocks=1))
        one = {"cores": 1, "memory": 1, "disk": 1}
        impossible = executor.submit(abs, {**one, "cores": 99}, -1)
        possible = executor.submit(abs, one, -2)
        workers.worker(executor)
        assert possible.result(LIMIT_S) == 2
        assert isinstance(impossible.exception(LIMIT_S), InvalidResourceSpecification)

    def test_a_request_that_waits_for_a_larger_worker_is_warned_about(
        self, workers: Workers, wait_until: WaitUntil
    ) -> None:
        executor = workers.executor()
        waiting = executor.submit(abs, {"cores": 99, "memory": 1, "disk": 1}, -1)
        with warnings.catch_warnings(record=True) as shown:
            workers.worker(executor)
            wait_until(lambda: shown)
            later = executor.submit(abs, {"cores": 99, "memory": 1, "disk": 1}, -1)
        (warning,) = shown
        assert warning.category is WaitingTaskWarning
        assert "99 cores, and there are 1" in str(warning.message)
        assert waiting.cancel()
        assert later.cancel()

    def test_workers_by_hand_need_no_password(self, workers: Workers) -> None:
        assert workers.executor().contact.password_file is None

    def test_a_public_project_is_warned_about(
        self, workers: Workers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CATALOG_HOST", "127.0.0.1")  # the library registers projects
        with pytest.warns(UserWarning, match="'mine' is public.*project_password_file"):
            workers.executor(project_name="mine")


class TestOrder:
    pytestmark = slow

    def test_tasks_start_by_priority_and_then_in_order(self, workers: Workers, tmp_path: Path) -> None:
        executor = workers.executor()
        order = str(tmp_path / "order")
        one = {"cores": 1, "memory": 1, "disk": 1}
        tasks = [executor.submit(append, one, order, str(number)) for number in range(3)]
        tasks.append(executor.submit(append, {**one, "priority": 5}, order, "first"))
        workers.worker(executor)
        for task in tasks:
            task.result(LIMIT_S)
        assert Path(order).read_text().split() == ["first", "0", "1", "2"]

    def test_what_tasks_need_is_measured(self, workers: Workers) -> None:
        executor = workers.executor(autolabel=True)
        workers.worker(executor)
        assert [executor.submit(abs, {}, -1).result(LIMIT_S) for _ in range(2)] == [1, 1]


def start_and_wait(started: str, gate: str) -> None:
    Path(started).touch()
    wait_for_file(gate)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker with its tasks, which would keep the connection open."""
    if worker.poll() is None:
        kill_tree(worker.pid)
        worker.wait(LIMIT_S)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def append(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


def manager_pid(executor: WorkQueueExecutor) -> int:
    assert executor.manager_pid is not None
    return executor.manager_pid
