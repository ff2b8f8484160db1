"""DaskExecutor beyond the suite for all executors: addresses, versions, losses, clusters of its own."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from parsl.app.errors import AppException
from parsl.errors import ConfigurationError
from parsl.executors import DaskExecutor
from parsl.executors.engines.errors import EngineMismatch, EngineUnreachable, WaitingTaskWarning
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.providers import LocalProvider
from parsl.validate import ParameterError
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'parsl[dask]'")

LIMIT_S = 60

#: A scheduler that runs until it is killed. The first word of its argument is a statement to run before.
SCHEDULER = """
import asyncio, sys
exec(sys.argv[1])
from distributed import Scheduler
async def serve():
    pages = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(host="127.0.0.1", port=0, **pages) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()
asyncio.run(serve())
"""

OTHER_VERSIONS = """
from distributed import versions
real = versions.get_package_info
versions.get_package_info = lambda names: {**real(names), "distributed": "2020.1.0"}
"""

#: A worker in whose environment Parsl cannot be imported.
WORKER_WITHOUT_PARSL = """
import sys
sys.modules["parsl"] = None
from distributed.cli.dask_worker import main
main()
"""

#: A driver whose only task ends when that of the other driver runs, too. Prints what the task has returned.
DRIVER = """
import pathlib, sys
from parsl.executors import DaskExecutor
address, directory, name = sys.argv[1:]
def work(directory, name):
    import pathlib
    pathlib.Path(directory, name).touch()
    while len(list(pathlib.Path(directory).iterdir())) < 2:
        pass
    return name
executor = DaskExecutor(address)
executor.run_dir = directory
executor.start()
print(executor.submit(work, {}, directory, name).result(20))
executor.shutdown()
"""


@contextmanager
def scheduler_process(prepare: str = "") -> Iterator[tuple[str, Callable[[], None]]]:
    """Run a scheduler. Gives its address, and what kills it."""
    process = subprocess.Popen([sys.executable, "-c", SCHEDULER, prepare], stdout=subprocess.PIPE, text=True)

    def kill() -> None:
        process.kill()
        process.wait()

    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), kill
        finally:
            kill()


@contextmanager
def worker_process(address: str, directory: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker for a scheduler."""
    words = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
    words += ["--local-directory", str(directory), *options]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as worker:
        try:
            yield worker
        finally:
            worker.kill()


@contextmanager
def started(executor: DaskExecutor, directory: Path) -> Iterator[DaskExecutor]:
    """Start an executor with its blocks, and shut it down."""
    executor.run_dir = str(directory)
    executor.start()
    try:
        executor.blocks.start()
        yield executor
    finally:
        executor.shutdown()


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def end_worker(path: str) -> None:
    with open(path, "a") as file:
        file.write("started\n")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_parameter_that_is_no_cluster() -> None:
    with pytest.raises(ParameterError, match="LocalCluster"):
        DaskExecutor(5)


def test_a_cluster_and_a_provider_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="both a cluster and a provider"):
        DaskExecutor("tcp://127.0.0.1:8786", provider=LocalProvider())


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_an_address_where_something_else_listens_and_is_silent(tmp_path: Path, scheme: str) -> None:
    security = distributed.Security.temporary() if scheme == "tls" else None
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        executor = DaskExecutor(address, connect_timeout=0.2, security=security)
        executor.run_dir = str(tmp_path)
        with pytest.raises(EngineUnreachable, match=f"{address} within 0.2 s: .*timed out"):
            executor.start()


def test_an_address_where_nothing_answers(tmp_path: Path) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        executor = DaskExecutor(address, connect_timeout=0.5)
        with pytest.raises(EngineUnreachable, match=address):
            executor.start()
    executor.shutdown()


@pytest.mark.filterwarnings("ignore:Mismatched versions")
def test_another_version_of_the_scheduler_is_named() -> None:
    with scheduler_process(OTHER_VERSIONS) as (address, _):
        executor = DaskExecutor(address)
        with pytest.raises(EngineMismatch, match=rf"{distributed.__version__}.* 2020\.1\.0"):
            executor.start()


def test_a_scheduler_that_is_killed_fails_all_tasks(tmp_path: Path) -> None:
    with scheduler_process() as (address, kill), started(DaskExecutor(address), tmp_path) as executor:
        futures = [executor.submit(abs, {}, number) for number in range(1000)]
        kill()
        errors = [future.exception(LIMIT_S) for future in futures]
        assert all(isinstance(error, BadStateException) for error in errors)
        assert isinstance(errors[0].__cause__, ManagerLost)
        assert address in str(errors[0])
        with pytest.raises(BadStateException):
            executor.submit(abs, {}, 1)


def test_the_loss_of_an_idle_scheduler_is_noticed(tmp_path: Path) -> None:
    with scheduler_process() as (address, kill), started(DaskExecutor(address), tmp_path) as executor:
        kill()
        wait_until(lambda: executor.bad_state_is_set)


def test_a_worker_without_parsl(tmp_path: Path) -> None:
    with scheduler_process() as (address, _), started(DaskExecutor(address), tmp_path) as executor:
        words = [sys.executable, "-c", WORKER_WITHOUT_PARSL, address, "--no-nanny", "--no-dashboard"]
        words += ["--local-directory", str(tmp_path)]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as worker:
            try:
                error = executor.submit(abs, {}, -1).exception(LIMIT_S)
            finally:
                worker.kill()
        assert isinstance(error, EngineMismatch)
        assert "pip install PATH" in str(error)


def test_two_executors_share_a_client(cluster: Any, tmp_path: Path) -> None:
    with distributed.Client(cluster, set_as_default=False) as client:
        first, second = DaskExecutor(client, label="first"), DaskExecutor(client, label="second")
        with started(first, tmp_path), started(second, tmp_path):
            assert first.submit(abs, {}, -1).result(LIMIT_S) == 1
            assert second.submit(abs, {}, -2).result(LIMIT_S) == 2
        assert client.submit(abs, -3).result(LIMIT_S) == 3  # it stays open


def test_a_task_that_runs_cannot_be_cancelled(cluster: Any, tmp_path: Path) -> None:
    started_file, gate = tmp_path / "started", tmp_path / "gate"

    def run(started_path: str, gate_path: str) -> str:
        Path(started_path).touch()
        return wait_for(gate_path)

    with started(DaskExecutor(cluster), tmp_path) as executor:
        future = executor.submit(run, {}, str(started_file), str(gate))
        wait_until(started_file.exists)
        assert not future.cancel()
        gate.touch()
        assert future.result(LIMIT_S) == str(gate)


def test_the_tasks_of_a_lost_worker_run_once(cluster: Any, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    with started(DaskExecutor(cluster), tmp_path) as executor:
        error = executor.submit(end_worker, {}, str(path)).exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert error.hostname == "127.0.0.1"
        assert str(error.worker_id).startswith("tcp://127.0.0.1:")
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1
    assert path.read_text() == "started\n"


def test_a_cluster_of_its_own(tmp_path: Path) -> None:
    executor = DaskExecutor(max_workers_per_node=1, worker_resources={"licence": 1}, mem_per_worker=1)
    with started(executor, tmp_path):
        private = list((tmp_path / "dask").rglob("*.pem"))
        assert private
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
        pid = executor.submit(os.getpid, {"resources": {"licence": 1}, "memory": 500}).result(LIMIT_S)
        assert pid != os.getpid()
        with pytest.raises(InvalidResourceSpecification, match="licence"):
            executor.submit(os.getpid, {"resources": {"licence": 2}})
        with pytest.raises(InvalidResourceSpecification, match="memory"):
            executor.submit(os.getpid, {"memory": 5000})
        activity = wait_until(executor.block_activity)
        assert activity["0"].workers == 1
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or _is_zombie(pid))
    assert not any(path.exists() for path in private)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.filterwarnings("error:Sending large graph")
def test_a_large_call_is_no_part_of_a_graph(cluster: Any, tmp_path: Path) -> None:
    with started(DaskExecutor(cluster), tmp_path) as executor:
        assert executor.submit(len, {}, b"x" * 12_000_000).result(LIMIT_S) == 12_000_000


def test_workers_that_join_later_are_known(tmp_path: Path) -> None:
    with scheduler_process() as (address, _), started(DaskExecutor(address), tmp_path) as executor:
        assert executor.current_slots() == 0
        with worker_process(address, tmp_path, "--nthreads", "3") as worker:
            wait_until(lambda: executor.current_slots() == 3)
            worker.kill()
        wait_until(lambda: executor.current_slots() == 0)


def test_two_drivers_share_a_cluster(cluster: Any, tmp_path: Path) -> None:
    words = [sys.executable, "-c", DRIVER, cluster.scheduler_address, str(tmp_path)]
    drivers = [subprocess.Popen([*words, name], stdout=subprocess.PIPE, text=True) for name in ("a", "b")]
    assert [driver.communicate(timeout=LIMIT_S)[0] for driver in drivers] == ["a\n", "b\n"]


def test_a_cancellation_without_an_answer_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parsl.executors.dask.executor.ANSWER_S", 0.1)
    with scheduler_process() as (address, _), started(DaskExecutor(address), tmp_path) as executor:
        with distributed.Client(address, set_as_default=False) as client:
            pid = client.run_on_scheduler(os.getpid)
        future = executor.submit(abs, {}, -1)
        os.kill(pid, signal.SIGSTOP)
        assert not future.cancel()
        os.kill(pid, signal.SIGCONT)
        with worker_process(address, tmp_path):
            assert future.result(LIMIT_S) == 1


class EndsItsReader:
    """Unpickling it in the process that has made it ends the thread that does it."""

    def __init__(self, pid: int, data: bytes = b"") -> None:
        self.arguments = pid, data

    def __reduce__(self) -> tuple[Any, ...]:
        return _exit_in, self.arguments


def _exit_in(pid: int, data: bytes) -> EndsItsReader:
    if os.getpid() == pid:
        sys.exit()
    return EndsItsReader(pid, data)


def test_a_result_that_ends_its_reader(cluster: Any, tmp_path: Path) -> None:
    with started(DaskExecutor(cluster), tmp_path) as executor:
        error = executor.submit(EndsItsReader, {}, os.getpid()).exception(LIMIT_S)
        assert isinstance(error, AppException)
        assert isinstance(error.__cause__, SystemExit)
        kept = executor.submit(EndsItsReader, {}, os.getpid(), b"x" * 2_000_000).result(LIMIT_S)
        assert isinstance(kept.fetch().exception(LIMIT_S), AppException)
        assert executor.submit(abs, {}, -1).result(LIMIT_S) == 1


def test_a_client_that_cannot_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = distributed.Client.close

    def close_late(client: Any, **options: Any) -> None:
        close(client, **options)
        raise TimeoutError

    with started(DaskExecutor(max_workers_per_node=1), tmp_path):
        private = list((tmp_path / "dask").rglob("*.pem"))
        monkeypatch.setattr(distributed.Client, "close", close_late)
    assert private
    assert not any(path.exists() for path in private)


def test_requests_before_the_first_worker(tmp_path: Path) -> None:
    provider = LocalProvider(init_blocks=0, max_blocks=0)
    executor = DaskExecutor(provider=provider, worker_resources={"MEMORY": 1e9, "licence": 1})
    with started(executor, tmp_path):
        for request in ({"gpus": 1}, {"memory": 2000}, {"resources": {"licence": 2}}):
            with pytest.raises(InvalidResourceSpecification, match="No node"):
                executor.submit(abs, request, -1)
        assert not executor.submit(abs, {"memory": 500, "resources": {"licence": 1}}, -1).done()


def test_a_warning_follows_when_the_first_worker_of_an_existing_cluster_cannot_run_a_task(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    def texts() -> list[str]:
        return sorted(str(each.message) for each in recwarn if each.category is WaitingTaskWarning)

    with scheduler_process() as (address, _):
        executor = DaskExecutor(address)
        with started(executor, tmp_path):
            with pytest.raises(InvalidResourceSpecification, match="cores must be at most 1, not 2"):
                executor.submit(abs, {"cores": 2}, -1)
            requests: list[dict[str, Any]] = [{"gpus": 2}, {"gpus": 2}, {"resources": {"licence": 1}}]
            waiting = [executor.submit(abs, request, -1) for request in requests]
            possible = executor.submit(abs, {"cores": 1, "memory": 1}, -1)
            with worker_process(address, tmp_path):
                assert possible.result(LIMIT_S) == 1
                wait_until(lambda: len(texts()) >= 2)
                assert not any(future.done() for future in waiting)
    by_resource, by_gpu = texts()
    assert "1 of 'licence'" in by_resource
    assert "2 GPUs" in by_gpu


def test_a_large_call_waits_for_the_first_worker(tmp_path: Path) -> None:
    with scheduler_process() as (address, _):
        executor = DaskExecutor(address, connect_timeout=1)
        with started(executor, tmp_path):
            future = executor.submit(len, {}, b"x" * 2_000_000)
            with pytest.raises(concurrent.futures.TimeoutError):
                future.exception(1.5)
            with worker_process(address, tmp_path):
                assert future.result(LIMIT_S) == 2_000_000


def test_a_block_with_results_is_not_idle(tmp_path: Path) -> None:
    executor = DaskExecutor(max_workers_per_node=1)
    with started(executor, tmp_path):
        wait_until(executor.current_slots)
        kept = executor.submit(bytes, {}, 2_000_000).result(LIMIT_S)
        wait_until(lambda: held_tasks(executor) == 1, LIMIT_S)
        assert len(kept.fetch().result(LIMIT_S)) == 2_000_000
        del kept
        wait_until(lambda: held_tasks(executor) == 0, LIMIT_S)


def held_tasks(executor: DaskExecutor) -> int | None:
    activity = executor.block_activity()
    return activity["0"].tasks if activity else None


def test_results_that_are_not_kept(cluster: Any, tmp_path: Path) -> None:
    with started(DaskExecutor(cluster, keep_results=False), tmp_path) as executor:
        assert executor.submit(bytes, {}, 2_000_000).result(LIMIT_S) == bytes(2_000_000)


def test_an_urgent_end_does_not_wait_for_results(cluster: Any, tmp_path: Path) -> None:
    with distributed.Client(cluster, set_as_default=False) as client:
        pids = client.run(os.getpid).values()
    with started(DaskExecutor(cluster), tmp_path) as executor:
        kept = executor.submit(bytes, {}, 2_000_000).result(LIMIT_S)
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            end = threading.Thread(target=executor.shutdown_within, args=[0.1])
            end.start()
            end.join(LIMIT_S)
            assert not end.is_alive()
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        assert kept.fetch().exception(LIMIT_S) is not None
