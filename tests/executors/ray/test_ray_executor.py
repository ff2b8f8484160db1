"""RayExecutor with a real Ray: what it refuses, what it loses, and what it leaves."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parsl.errors import ConfigurationError
from parsl.executors import RayExecutor
from parsl.executors.engines.errors import EngineMismatch, EngineUnreachable
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.executors.ray import session
from parsl.executors.ray.connection import join
from parsl.executors.ray.session import Session
from parsl.executors.ray.target import Target
from parsl.providers import LocalProvider
from tests.support.waiting import wait_until

LIMIT_S = 120.0


def nodes_of_task() -> tuple[str, str]:
    return os.environ["PARSL_NUM_NODES"], os.environ["PARSL_MPI_NODELIST"]


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_child_and_wait(path: str) -> None:
    import subprocess

    child = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(str(child.pid))
    child.wait()


class FakeRay(ModuleType):
    """A Ray that runs nothing."""

    __version__ = "2.51.0"

    def __init__(
        self, patch: pytest.MonkeyPatch, error: Exception | None = None, is_initialized: bool = False
    ) -> None:
        super().__init__("ray")
        self.error = error
        self.is_initialized = lambda: is_initialized
        self.arguments: dict[str, Any] = {}
        for name in ("ray._private.ray_constants", "ray._private.worker", "ray._raylet"):
            patch.setitem(sys.modules, name, ModuleType(name))

    def init(self, **arguments: Any) -> None:
        self.arguments = arguments
        if self.error is not None:
            raise self.error

    def shutdown(self) -> None:
        pass


@pytest.fixture
def executor(cluster: str, tmp_path: Path) -> Iterator[RayExecutor]:
    executor = RayExecutor()
    executor.run_dir = str(tmp_path)
    executor.start()
    yield executor
    executor.shutdown()


def test_amounts_of_an_existing_cluster_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_cpus cannot have an effect"):
        RayExecutor(address="auto", num_cpus=2)
    with pytest.raises(ConfigurationError, match="provider"):
        RayExecutor(address="auto", provider=LocalProvider())


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}"])
def test_an_address_where_nothing_answers(ray: Any, address: str) -> None:
    executor = RayExecutor(address=address.format(port=1))
    with pytest.raises(EngineUnreachable, match=r"nothing answers at .*:1.*ray status"):
        executor.start()


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}"])
def test_an_address_where_something_else_listens_and_is_silent(
    ray: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(session, "PROBE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        executor = RayExecutor(address=address.format(port=server.getsockname()[1]))
        with pytest.raises(EngineUnreachable, match=r"nothing answers at .*timed out"):
            executor.start()


def test_other_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    report = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.12.1\n"
        "This process on node 192.0.2.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7"
    )

    fake_ray = FakeRay(monkeypatch, RuntimeError(report))
    with pytest.raises(EngineMismatch, match=r"Ray: 2\.40\.0 Python: 3\.12\.1.*Ray: 2\.60\.0 Python: 3\.11"):
        Session("the executor", fake_ray, Target("auto"))


def test_a_ray_without_tokens_starts_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ray = FakeRay(monkeypatch)
    with pytest.raises(EngineMismatch, match=r"Ray 2\.51\.0 cannot require a token.*pip install --upgrade"):
        Session("the executor", fake_ray, Target())
    assert fake_ray.arguments == {}
    Session("the executor", fake_ray, Target("auto")).close()
    assert fake_ray.arguments["address"] == "auto"


def test_only_this_user_reaches_the_files_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ray = FakeRay(monkeypatch)
    sys.modules["ray._raylet"].AuthenticationTokenLoader = object  # type: ignore[attr-defined]
    session = Session("the executor", fake_ray, Target())
    directory, token_file = session.directory, session.token_file
    assert directory is not None
    assert token_file is not None
    assert os.path.dirname(fake_ray.arguments["_temp_dir"]) == directory  # Ray changes the mode of this one
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(token_file).st_mode) == 0o600
    session.close()
    assert not os.path.exists(directory)


def test_the_files_of_a_killed_driver_are_removed_at_the_next_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_ray = FakeRay(monkeypatch)
    sys.modules["ray._raylet"].AuthenticationTokenLoader = object  # type: ignore[attr-defined]
    monkeypatch.setattr("parsl.executors.ray.session.SHORT_DIRECTORY", str(tmp_path))
    program = (
        "import os, sys; from parsl.executors.high_throughput.wire.spool import claim_directory; "
        "print(claim_directory(sys.argv[1], 'ray-').directory, flush=True); os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    left = killed.stdout.strip()
    assert os.path.isdir(left)
    session = Session("the executor", fake_ray, Target())
    other = Session("another executor", fake_ray, Target())
    assert not os.path.exists(left)
    assert session.directory is not None
    assert os.path.isdir(session.directory)  # its driver lives
    for each in (session, other):
        each.close()
    assert list(tmp_path.iterdir()) == []


def test_a_provider_is_refused_if_the_script_has_initialised_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = RayExecutor(provider=LocalProvider())
    fake_ray = FakeRay(monkeypatch, is_initialized=True)
    with pytest.raises(ConfigurationError, match=r"initialised Ray already.*provider cannot have an effect"):
        join(executor, fake_ray, Target(host="192.0.2.1"), lambda loss: None)


@pytest.mark.slow
class TestRunningRay:
    """One cluster, which this process has initialised like a script."""

    def test_it_is_used_and_not_shut_down(self, executor: RayExecutor, ray: Any, cluster: str) -> None:
        assert executor.submit(abs, None, -2).result(LIMIT_S) == 2
        executor.shutdown()
        assert ray.is_initialized()
        assert ray.get_runtime_context().gcs_address == cluster

    @pytest.mark.parametrize("given", [{"num_cpus": 1}, {"address": "192.0.2.9:6379"}])
    def test_it_cannot_be_changed(self, cluster: str, given: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=r"(num_cpus|192\.0\.2\.9).* cannot have an effect"):
            RayExecutor(**given).start()

    def test_two_executors_share_it(self, executor: RayExecutor, tmp_path: Path) -> None:
        with RayExecutor("second") as second:
            second.run_dir = str(tmp_path)
            second.start()
            assert second.submit(abs, None, -1).result(LIMIT_S) == 1
        assert executor.submit(abs, None, -2).result(LIMIT_S) == 2

    def test_a_task_learns_its_nodes(self, executor: RayExecutor) -> None:
        count, names = executor.submit(nodes_of_task, {"num_nodes": 1}).result(LIMIT_S)
        assert (count, names) == ("1", os.uname().nodename)

    def test_nodes_are_free_again_after_a_task(self, executor: RayExecutor) -> None:
        tasks = [executor.submit(nodes_of_task, {"num_nodes": 1, "cores": 2}) for _ in range(3)]
        assert [task.result(LIMIT_S)[0] for task in tasks] == ["1", "1", "1"]

    @pytest.mark.parametrize(
        ("specification", "reason"),
        [
            ({"num_nodes": 2}, "requests 2 nodes, and the engine has 1"),
            ({"gpus": 1}, "1 GPUs, and there are 0"),
            ({"memory": 10**9}, "MB of memory"),
            ({"resources": {"licence": 1}}, "1 of 'licence', and there are 0"),
        ],
    )
    def test_what_no_node_has_is_refused(
        self, executor: RayExecutor, specification: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(InvalidResourceSpecification, match=reason):
            executor.submit(abs, specification, -1)

    def test_a_fraction_above_one_is_refused_by_ray(self, executor: RayExecutor) -> None:
        executor.can_grow = True
        with pytest.raises(InvalidResourceSpecification, match="Ray refuses"):
            executor.submit(abs, {"gpus": 1.5}, -1)

    def test_a_killed_worker_is_lost(self, executor: RayExecutor) -> None:
        task = executor.submit(kill_this_process, None)
        assert isinstance(task.exception(LIMIT_S), WorkerLost)
        assert executor.submit(abs, None, -2).result(LIMIT_S) == 2

    def test_a_cancelled_task_ends_with_its_child(self, executor: RayExecutor, tmp_path: Path) -> None:
        note = tmp_path / "pid"
        task = executor.submit(run_child_and_wait, None, str(note))
        pid = int(wait_until(lambda: note.exists() and note.read_text()))
        assert task.cancel()
        assert task.cancelled()
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="the end of the task's child")
