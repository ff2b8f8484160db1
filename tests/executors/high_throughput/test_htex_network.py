"""Over TCP: encrypted and authenticated, on the configured ports, unaffected by unauthenticated peers."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, read_settings
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


def port_of(run: runs.Run) -> int:
    """The port of the run's interchange."""
    connections = run.only(runs.INTERCHANGE).net_connections(kind="tcp")
    [listening] = [found for found in connections if found.status == "LISTEN"]
    return int(listening.laddr.port)


def log_of(run_dir: Path) -> str:
    return (run_dir / "000" / "htex" / "interchange.log").read_text()


@pytest.mark.parametrize("run_dir", ["r", "deep" * 30], ids=["short", "deep"])
def test_a_local_run_listens_on_no_network(start_run: StartRun, tmp_path: Path, run_dir: str) -> None:
    run = start_run(run_dir=tmp_path / run_dir)
    run.warm_up()
    for title in (runs.INTERCHANGE, runs.MANAGER):
        assert run.only(title).net_connections(kind="inet") == []
    settings = read_settings(tmp_path / run_dir / "000" / "htex" / SETTINGS_FILE)
    assert os.path.exists(settings.local_socket)
    run.close()
    assert not os.path.exists(settings.local_socket)
    if run_dir != "r":
        assert not os.path.exists(os.path.dirname(settings.local_socket))


def test_only_the_user_can_read_the_keys(start_run: StartRun, far: Path) -> None:
    run = start_run(run_dir=far)
    run.warm_up()
    directory = far / "000" / "htex" / "certificates"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = list(directory.iterdir())
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((far / "000" / "htex" / "manager-settings.json").stat().st_mode) == 0o600


def test_nothing_readable_crosses_the_network(start_run: StartRun, far: Path) -> None:
    zmq = pytest.importorskip("zmq")
    run = start_run(run_dir=far)
    run.warm_up()
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(f"tcp://127.0.0.1:{port_of(run)}")
        peer.send(b"let me in")
        assert peer.poll(300) == 0
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_a_client_without_the_key_is_refused(start_run: StartRun, far: Path, wait_until: WaitUntil) -> None:
    zmq = pytest.importorskip("zmq")
    from parsl.curvezmq import load_client_keys
    from parsl.executors.high_throughput.wire import protocol

    run = start_run(run_dir=far)
    run.warm_up()
    keys = load_client_keys(far / "000" / "htex" / "certificates")
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.curve_publickey, peer.curve_secretkey = zmq.curve_keypair()
        peer.curve_serverkey = keys.peer_public
        peer.connect(f"tcp://127.0.0.1:{port_of(run)}")
        register = protocol.Register(protocol.PROTOCOL_VERSION, "x", "1", "3", "h", "0", 1, 1, 1)
        with contextlib.suppress(zmq.Again):  # it may have been refused already: then nothing can be sent
            peer.send(protocol.encode(register), zmq.NOBLOCK)
        wait_until(lambda: "without the key" in log_of(far))
        assert peer.poll(100) == 0
    assert len(run.executor.connected_managers()) == 1
    assert run.send(tasks.add, 1).result(timeout=30) == 1


@pytest.mark.parametrize("encrypted", [True, False])
def test_garbage_on_the_port_is_ignored(
    start_run: StartRun, far: Path, wait_until: WaitUntil, encrypted: bool
) -> None:
    run = start_run(run_dir=far, encrypted=encrypted)
    run.warm_up()
    address = ("127.0.0.1", port_of(run))
    for noise in (b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 4096, os.urandom(100_000), b""):
        with socket.create_connection(address, timeout=5) as sock:
            try:
                sock.sendall(noise)
            except OSError:
                pass  # the connection was already closed
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_invalid_messages_are_ignored_without_encryption(
    start_run: StartRun, far: Path, wait_until: WaitUntil
) -> None:
    zmq = pytest.importorskip("zmq")
    from parsl.executors.high_throughput.wire import protocol

    run = start_run(run_dir=far, encrypted=False)
    run.warm_up()
    assert not (far / "000" / "htex" / "certificates").exists()
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(f"tcp://127.0.0.1:{port_of(run)}")
        for noise in (
            [b""],
            [b"garbage"],
            [b"", b""],
            [b"\x93", b"x" * 100],
            [b"\x92\xa7Goodbye\xa2\xcd\x00"],
            [protocol.encode(protocol.Results([protocol.Result(1, 0, b"")]))],
            [protocol.encode(protocol.Goodbye("unknown"))],
        ):
            peer.send_multipart(noise)
        wait_until(lambda: "unreadable message" in log_of(far))
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_a_run_without_encryption_works(start_run: StartRun, far: Path) -> None:
    run = start_run(run_dir=far, encrypted=False)
    assert run.send(tasks.add, 1, 2).result(timeout=30) == 3


def test_the_configured_port_is_used(start_run: StartRun) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = start_run(address="127.0.0.1", worker_port=port)
    run.warm_up()
    assert port_of(run) == port


def test_an_occupied_port_is_an_immediate_error(start_run: StartRun) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"worker_port(.|\n)*|{port}"):
            start_run(address="127.0.0.1", worker_port=port)


def test_an_exhausted_range_is_an_immediate_error(start_run: StartRun, far: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"{port}-{port}.*worker_port_range"):
            start_run(address="127.0.0.1", worker_port_range=(port, port + 1))


def test_an_unknown_address_is_an_immediate_error(start_run: StartRun) -> None:
    with pytest.raises(ConfigurationError, match=r"address is 'no\.such\.host\.invalid'"):
        start_run(address="no.such.host.invalid")


def test_ipv6_addresses_work(start_run: StartRun, far: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("there is no IPv6 here")
    run = start_run(run_dir=far, address="::1")
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_managers_connect_over_every_address(start_run: StartRun, far: Path) -> None:
    command = (
        f"{sys.executable} -m parsl.executors.high_throughput.process_worker_pool --settings {{settings}}"
    )
    run = start_run(run_dir=far, worker_port_range=None, launch_cmd=command)
    assert run.send(tasks.add, 1).result(timeout=30) == 1
