"""The statements of docs/security.md about keys and their holders."""

from __future__ import annotations

import json
import os
import pickle
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from parsl.executors.high_throughput.driver.endpoints import listen_unix
from parsl.executors.high_throughput.interchange import links as interchange_links
from parsl.executors.high_throughput.wire import protocol
from parsl.version import VERSION
from tests.executors.high_throughput.test_htex_network import port_of
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system import run as runs
    from tests.system.fixtures import StartDriver, StartRun


@contextmanager
def impostor(run: runs.Run, certificates: Path, name: str) -> Iterator[Any]:
    """A connection of an attacker with the clients' key, under a chosen name."""
    zmq = pytest.importorskip("zmq")
    from parsl.curvezmq import load_client_keys

    keys = load_client_keys(certificates)
    with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        sock.linger = 0
        sock.setsockopt(zmq.ROUTING_ID, name.encode())
        sock.curve_publickey, sock.curve_secretkey = keys.public, keys.secret
        sock.curve_serverkey = keys.peer_public
        sock.connect(f"tcp://127.0.0.1:{port_of(run)}")
        yield sock


def registration(name: str) -> protocol.Register:
    """The registration of a manager without room for tasks."""
    import sys

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return protocol.Register(protocol.PROTOCOL_VERSION, name, VERSION, python, "nowhere", "9", 1, 0, 0)


def test_secret_keys_are_in_their_files_and_nowhere_else(start_run: StartRun, far: Path) -> None:
    run = start_run(run_dir=far, worker_debug=True)
    assert isinstance(run.call(divide, 1, 0).exception(timeout=60), ZeroDivisionError)
    certificates = far / "000" / "htex" / "certificates"
    secrets = [json.loads(path.read_text())["secret"].encode() for path in certificates.iterdir()]
    assert len(secrets) == 2
    files = [path for path in far.rglob("*") if path.is_file() and path.parent != certificates]
    assert {"interchange.log", "manager.log", "parsl.log", "failures.jsonl"} <= {path.name for path in files}
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
    processes = psutil.Process().children(recursive=True)
    assert processes
    shown = {
        (process.pid, name): seen(process, name) for process in processes for name in ("cmdline", "environ")
    }
    assert [where for where, text in shown.items() if any(secret in text for secret in secrets)] == []


@pytest.mark.parametrize("allowed", ["0", "0o002"])
def test_other_users_cannot_write_to_a_run_whatever_the_umask_allows(
    start_driver: StartDriver, wait_until: WaitUntil, allowed: str
) -> None:
    """Umask 0 allows all users, umask 2 the user's group, which many users share at some sites."""
    driver = start_driver(
        f"""
        os.umask({allowed})
        from parsl.dataflow.memoization import BasicMemoizer

        @bash_app(cache=True)
        def shell(stdout=parsl.AUTO_LOGNAME, stderr=parsl.AUTO_LOGNAME):
            return "echo x"

        @python_app
        def fail():
            1 / 0

        config = make_config(
            address="127.0.0.1", worker_debug=True, worker_logdir_root=os.path.abspath("logs/of/workers")
        )
        config.memoizer = BasicMemoizer(checkpoint_mode="task_exit")
        config.usage_tracking = 1
        with parsl.load(config):
            shell().result()
            fail().exception()
            open("begun", "w").close()
            wait_for_file("end")
        """
    )
    wait_until((driver.directory / "begun").exists, what="a run")
    roots = [driver.directory / "r", driver.directory / "logs", *map(Path, driver.spools())]
    found = [path for root in roots for path in reachable(root)]
    writable = {path.name for path in found if path.stat().st_mode & 0o022}
    (driver.directory / "end").touch()
    assert driver.wait() == 0, driver.output
    names = {path.name for path in found}
    assert {"r", "000", "parsl.log", "failures.jsonl", "usage.jsonl", "tasks.pkl", "task_logs"} <= names
    assert {"htex", "logs", "manager.log", "worker_0.log"} <= names
    # The command's own output follows the user's umask, in a directory where no other user can plant a link.
    assert writable <= {"task_0000_shell.stdout", "task_0000_shell.stderr"}


def reachable(root: Path) -> list[Path]:
    """A directory and its contents, without directories that other users cannot enter."""
    found = [root]
    if root.is_dir() and root.stat().st_mode & 0o011:
        for path in root.iterdir():
            found += reachable(path)
    return found


def seen(process: psutil.Process, name: str) -> bytes:
    """The bytes of a file in /proc of a process; empty if the process has ended."""
    try:
        return Path(f"/proc/{process.pid}/{name}").read_bytes()
    except OSError:
        return b""


def divide(a: int, b: int) -> float:
    return a / b


def test_a_peer_with_the_key_cannot_deliver_results_of_tasks_it_does_not_hold(
    start_run: StartRun, far: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(run_dir=far, max_workers_per_node=1)
    started, release = tmp_path / "started", tmp_path / "release"
    future = run.send(tasks.hold, str(started), str(release))
    wait_until(started.exists)
    forged = [protocol.Result(number, protocol.DONE, pickle.dumps("forged")) for number in range(100)]
    with impostor(run, far / "000" / "htex" / "certificates", "impostor") as sock:
        sock.send(protocol.encode(registration("impostor")))
        wait_until(lambda: len(run.executor.connected_managers()) == 2)
        sock.send(protocol.encode(protocol.Results(forged)))
        wait_until(lambda: sock.poll(0))  # welcome
        # The interchange handles messages in order: after this answer, it has handled the earlier ones.
        sock.send(protocol.encode(protocol.Draining()))
        answers: list[Any] = []
        while not any(isinstance(answer, protocol.Draining) for answer in answers):
            assert sock.poll(30_000)
            answers.append(protocol.decode_to_manager(sock.recv_multipart()[0]))
    release.touch()
    assert future.result(timeout=60) == int(started.read_text())


def test_another_user_is_refused_at_the_unix_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listening = listen_unix(tmp_path)
    assert listening is not None
    monkeypatch.setattr(interchange_links.os, "getuid", lambda: os.geteuid() + 1)
    with select.epoll() as epoll, socket.socket(socket.AF_UNIX) as peer:
        links = interchange_links.LocalLinks(listening.sock.detach(), epoll)
        peer.settimeout(30)
        peer.connect(str(listening.path))
        [(descriptor, _)] = epoll.poll(30)
        links.ready(descriptor)
        assert peer.recv(1) == b""
        assert "refused a connection of another user" in caplog.text
        links.close()
    listening.close()
