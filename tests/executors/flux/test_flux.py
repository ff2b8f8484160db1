"""FluxExecutor with a stand-in for Flux, whose jobs are processes: no broker can be installed."""

from __future__ import annotations

import json
import os
import platform
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zmq

import parsl
from parsl import Config, python_app
from parsl.curvezmq import ClientContext
from parsl.executors import FluxExecutor
from parsl.executors.base import ParslExecutor
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.engines.remote_call import CallPacker
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.flux.flux_instance_manager import Jobs
from parsl.executors.flux.protocol import (
    SETTINGS_FILE,
    Failed,
    Register,
    Run,
    Shape,
    Stop,
    decode_to_block,
    encode,
)
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.providers import LocalProvider
from parsl.testing.executor_conformance import ExecutorConformance
from parsl.validate import ParameterError
from parsl.version import VERSION

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

pytestmark = [pytest.mark.slow]

STAND_IN = str(Path(__file__).parents[2] / "support" / "flux_stand_in" / "bin" / "flux")
STAND_IN_MODULES = str(Path(__file__).parents[2] / "support" / "flux_stand_in" / "modules")


def make_executor(**options: Any) -> FluxExecutor:
    return FluxExecutor(provider=LocalProvider(max_blocks=1), flux_path=STAND_IN, **options)


class TestConformance(ExecutorConformance):
    cancels_running = True
    many = 40
    unsatisfiable = {"num_tasks": 3}  # noqa: RUF012

    def make_executor(self, directory: Path) -> ParslExecutor:
        return make_executor()


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[FluxExecutor]:
    executor = make_executor(flux_executor_kwargs={"threads": 2})
    with parsl.load(Config(executors=[executor], run_dir=str(tmp_path), strategy="none")):
        yield executor
    parsl.clear()


def test_the_processes_of_a_job_are_those_requested(executor: FluxExecutor, tmp_path: Path) -> None:
    @python_app
    def record(directory: str) -> int:
        import os
        from pathlib import Path

        rank, size = (int(os.environ[f"FLUX_{name}"]) for name in ("TASK_RANK", "JOB_SIZE"))
        Path(directory, f"rank-{rank}").write_text(str(size))
        while len(list(Path(directory).glob("rank-*"))) < size:
            pass
        return rank

    specification = {"num_tasks": 2, "cores_per_task": 1, "num_nodes": 1}
    assert record(str(tmp_path), parsl_resource_specification=specification).result(60) == 0
    assert [(tmp_path / f"rank-{rank}").read_text() for rank in range(2)] == ["2", "2"]


def test_keys_and_files_are_open_to_the_owner_only(executor: FluxExecutor) -> None:
    assert executor.submit(abs, {}, -1).result(60) == 1
    directory = Path(executor.run_dir, executor.label)
    for path in [directory, directory / "certificates", *(directory / "jobs").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert [list(path.iterdir()) for path in (directory / "jobs").iterdir()] == [[]]


def test_a_lost_job_is_reported_with_its_output(executor: FluxExecutor) -> None:
    error = executor.submit(_complain_and_exit, {}).exception(60)
    assert isinstance(error, WorkerLost)
    assert "exit code 9" in str(error)
    assert "no more paper" in str(error)


def _complain_and_exit() -> None:
    os.write(2, b"no more paper\n")
    os._exit(9)


def _pid() -> int:
    return os.getpid()


def _note_and_exit_at(directory: str, last: int, number: int) -> None:
    Path(directory, f"{number}-{os.getpid()}").touch()
    if number == last:
        os._exit(9)


def test_short_tasks_share_processes(executor: FluxExecutor) -> None:
    for _ in range(4):  # the first hundred show that they are short
        pids = [task.result(60) for task in [executor.submit(_pid, {}) for _ in range(60)]]
    assert len(set(pids)) < 40


def test_a_task_that_ends_a_shared_process_fails_alone(executor: FluxExecutor, tmp_path: Path) -> None:
    arguments = str(tmp_path), 250
    for number in range(150):
        executor.submit(_note_and_exit_at, {}, *arguments, number).result(60)
    tasks = [executor.submit(_note_and_exit_at, {}, *arguments, number) for number in range(150, 300)]
    failed = {number: error for number, task in enumerate(tasks, 150) if (error := task.exception(60))}
    assert list(failed) == [250]
    assert isinstance(failed[250], WorkerLost)
    started = [int(path.name.split("-")[0]) for path in tmp_path.glob("*-*")]
    assert sorted(started) == [*range(300)], "each has run once"


def test_tasks_of_a_shared_job_that_flux_ends_fail_while_its_process_may_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: WaitUntil
) -> None:
    monkeypatch.syspath_prepend(STAND_IN_MODULES)
    import flux.job  # the stand-in

    wake_out, wake_in = os.pipe()
    jobs = Jobs(tmp_path, {}, wake_in)
    calls = [CallPacker().pack(_block, (str(tmp_path / f"started-{number}"),), {}) for number in range(2)]
    jobs.submit(Run([1, 2], Shape()), calls)
    wait_until((tmp_path / "started-0").exists)
    (future,) = flux.job.jobs()
    future.set_exception(flux.job.JobException("timeout"))
    wait_until(lambda: jobs.ended)
    ((message, payloads),) = jobs.take_outcomes(jobs.ended.popleft())
    assert message == Failed([1, 2], True, "JobException: timeout")
    assert payloads == ()
    flux.job.cancel(None, future.number)
    future.processes[0].wait()
    assert [path.name for path in tmp_path.iterdir()] == ["started-0"]
    jobs.close()
    os.close(wake_out)
    os.close(wake_in)


def test_tasks_share_no_process_if_that_is_switched_off(tmp_path: Path) -> None:
    executor = make_executor(max_tasks_per_job=1)
    with parsl.load(Config(executors=[executor], run_dir=str(tmp_path), strategy="none")):
        pids = [task.result(60) for task in [executor.submit(_pid, {}) for _ in range(150)]]
    assert len(set(pids)) == len(pids)


@pytest.mark.parametrize(
    ("specification", "words"),
    [
        ({"cores": 1}, "num_tasks, cores_per_task, gpus_per_task, num_nodes"),
        ({"num_tasks": 0}, "from 1, not 0"),
        ({"num_tasks": True}, "not True"),
        ({"gpus_per_task": -1}, "from 0, not -1"),
    ],
)
def test_a_wrong_specification_is_refused(executor: FluxExecutor, specification: Any, words: str) -> None:
    with pytest.raises(InvalidResourceSpecification, match=words):
        executor.submit(abs, specification, -1)


def test_the_end_of_a_block_fails_its_tasks(
    executor: FluxExecutor, tmp_path: Path, wait_until: WaitUntil
) -> None:
    started = tmp_path / "started"
    tasks = [executor.submit(_block, {}, str(started)) for _ in range(30)]
    wait_until(started.exists)
    executor.scale_in_facade(1)
    assert isinstance(tasks[0].exception(60), (ManagerLost, BadStateException))
    assert executor.block_activity() == {}


def test_the_program_of_a_block_is_killed_while_1000_tasks_are_out(
    executor: FluxExecutor, tmp_path: Path, wait_until: WaitUntil
) -> None:
    started = tmp_path / "started"
    tasks = [executor.submit(_block, {}, str(started)) for _ in range(1000)]
    wait_until(lambda: started.exists() and started.read_text())
    os.kill(int(started.read_text()), signal.SIGKILL)
    assert isinstance(tasks[0].exception(60), ManagerLost)
    lost = [task.exception(60) for task in tasks if not task.cancel()]  # the others wait for another block
    assert {type(error) for error in lost} == {ManagerLost}
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("other", [{"parsl_version": "2001.1.1"}, {"python_version": "3.1.4"}], ids=str)
def test_a_block_of_another_version_fails_the_executor(executor: FluxExecutor, other: dict[str, str]) -> None:
    settings = json.loads(Path(executor.run_dir, executor.label, SETTINGS_FILE).read_bytes())
    context = ClientContext(settings["cert_dir"])
    try:
        block = context.socket(zmq.DEALER)
        block.connect(settings["endpoints"][0])
        facts = {"python_version": platform.python_version(), "parsl_version": VERSION, **other}
        block.send_multipart([encode(Register("7", "elsewhere", 1, **facts)), b""])
        head, *_ = block.recv_multipart()
        assert isinstance(decode_to_block(head), Stop)
    finally:
        context.destroy()
    with pytest.raises(BadStateException, match=f"{next(iter(other.values()))}.*{VERSION} on Python"):
        executor.submit(abs, {}, -1)


def _block(started: str) -> None:
    import time

    Path(started).write_text(str(os.getppid()))
    time.sleep(100)


def test_a_block_without_flux_fails_the_executor_with_its_output(tmp_path: Path) -> None:
    executor = FluxExecutor(
        provider=LocalProvider(max_blocks=1), launch_cmd="echo no such broker >&2; exit 3 # {port}"
    )
    with parsl.load(Config(executors=[executor], run_dir=str(tmp_path), strategy="simple")):
        error = python_app(abs)(-1).exception(60)
    assert isinstance(error, BadStateException)
    assert "no such broker" in str(error)


def test_a_missing_flux_is_an_error_of_the_start(tmp_path: Path) -> None:
    executor = FluxExecutor(flux_path=str(tmp_path / "flux"))
    executor.run_dir = str(tmp_path)
    with pytest.raises(EngineUnreachable, match="flux_path"):
        executor.start()
    executor.shutdown()


@pytest.mark.parametrize(
    "arguments",
    [
        {"flux_executor_kwargs": {"x": object()}},
        {"flux_path": 3},
        {"launch_cmd": ""},
        {"max_tasks_per_job": 0},
    ],
)
def test_wrong_parameters_are_refused(arguments: Any) -> None:
    with pytest.raises(ParameterError):
        FluxExecutor(**arguments)
