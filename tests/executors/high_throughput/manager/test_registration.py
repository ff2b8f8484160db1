"""A manager tries every address of its interchange, and reports the outcome of each."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

from parsl.curvezmq import create_certificates, load_server_keys
from parsl.executors.high_throughput.manager import registration
from parsl.executors.high_throughput.manager.registration import NoInterchange, RefusedByInterchange, connect
from parsl.executors.high_throughput.wire.connections import Connection, receive
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import (
    Heartbeat,
    Refused,
    Register,
    Stop,
    Welcome,
    decode_from_manager,
    decode_to_manager,
    encode,
)
from parsl.executors.high_throughput.wire.settings import ManagerSettings

REGISTER = Register(1, "m1", "v", "3.11", "node", "0", 1, 2, 2)


@pytest.fixture
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts, for tests without an answer only: a busy machine may answer late."""
    monkeypatch.setattr(registration, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 0.3)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listener that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return port_of(sock)


@contextmanager
def interchange(
    answers: list[Any], cert_dir: str = "", address: str = "127.0.0.1", patience_s: float = 0.0
) -> Iterator[tuple[int, list[Any]]]:
    """A ROUTER that answers a manager's first message after a while.

    Yields its port and the received messages.
    """
    context = zmq.Context()
    router, heard = context.socket(zmq.ROUTER), []
    if cert_dir:
        keys = load_server_keys(cert_dir)
        router.curve_server, router.curve_publickey, router.curve_secretkey = True, keys.public, keys.secret
    if ":" in address:
        router.setsockopt(zmq.IPV6, 1)
    port = router.bind_to_random_port(f"tcp://[{address}]" if ":" in address else f"tcp://{address}")
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            if router.poll(20):
                name, head = receive(router)
                heard.append(decode_from_manager(head))
                is_over.wait(patience_s)
                for answer in answers:
                    router.send_multipart([name, encode(answer)])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port, heard
    finally:
        is_over.set()
        thread.join()
        context.destroy(linger=0)


def settings(port: int, *addresses: str, **more: Any) -> ManagerSettings:
    return ManagerSettings(addresses=list(addresses or ("127.0.0.1",)), port=port, **more)


def next_message(connection: Connection, wait_until: Callable[..., None]) -> Any:
    found: list[Any] = []
    wait_until(lambda: found.extend(connection.receive()) or found)
    return decode_to_manager(found[0][0])


def test_messages_after_the_answer_to_a_registration_are_not_lost(wait_until: Any) -> None:
    with interchange([Welcome(30), Heartbeat(), Stop("enough")]) as (port, heard):
        connection = connect(settings(port), REGISTER)
        assert heard == [REGISTER]
        assert next_message(connection, wait_until) == Heartbeat()
        connection.close(0)


def test_the_answer_over_a_network_may_be_encrypted(tmp_path: Path) -> None:
    cert_dir = str(create_certificates(tmp_path))
    with interchange([Welcome(30)], cert_dir) as (port, heard):
        connect(settings(port, cert_dir=cert_dir), REGISTER).close(0)
        assert heard == [REGISTER]


def test_a_slow_interchange_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of managers may register at once; only unauthenticated peers have to be quick."""
    monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 2.0)
    cert_dir = str(create_certificates(tmp_path))
    with interchange([Welcome(30)], cert_dir, patience_s=2.5) as (port, heard):
        connect(settings(port, cert_dir=cert_dir), REGISTER).close(0)
        assert heard == [REGISTER]


def test_an_interchange_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 2.0)
    cert_dir = str(create_certificates(tmp_path))
    with interchange([], cert_dir) as (port, heard):
        with pytest.raises(NoInterchange, match="the interchange gave no valid answer to the registration"):
            connect(settings(port, cert_dir=cert_dir, heartbeat_threshold_s=2.5), REGISTER)
        assert heard == [REGISTER]


def test_without_encryption_a_silent_peer_counts_as_another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 0.5)
    with interchange([]) as (port, _), pytest.raises(NoInterchange, match="another service on that port"):
        connect(settings(port), REGISTER)


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_a_partial_greeting_only_delays_the_registration(
    is_encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZeroMQ waits for the rest of the greeting, then reconnects."""
    monkeypatch.setattr(registration, "HANDSHAKE_TIMEOUT_MS", 1000)
    cert_dir = str(create_certificates(tmp_path)) if is_encrypted else ""
    with interchange([Welcome(30)], cert_dir) as (port, heard), relay_with_one_partial_greeting(port) as door:
        connect(settings(door, cert_dir=cert_dir), REGISTER).close(0)
        assert set(map(encode, heard)) == {encode(REGISTER)}


@contextmanager
def relay_with_one_partial_greeting(port: int) -> Iterator[int]:
    """A relay to a port that first sends the beginning of ZeroMQ's greeting. Yields the relay's port."""
    sides: list[socket.socket] = []

    def let_in(door: socket.socket) -> None:
        sides.append(door.accept()[0])  # the first connection only checks that the port is open
        sides.append(door.accept()[0])
        sides[-1].sendall(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03")
        while True:
            near, far = door.accept()[0], socket.create_connection(("127.0.0.1", port))
            sides.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        guard = threading.Thread(target=quietly, args=(let_in, door))
        guard.start()
        try:
            yield port_of(door)
        finally:
            door.shutdown(socket.SHUT_RDWR)
            guard.join()
            for side in sides:
                side.close()


def quietly(function: Callable[..., object], *args: Any) -> None:
    """Call a function that runs until a socket is closed."""
    with suppress(OSError):
        function(*args)


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.usefixtures("_short_timeouts")
def test_keys_that_do_not_match_are_suspected(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ours, theirs = create_certificates(tmp_path), create_certificates(tmp_path / "other")
    with interchange([Welcome(30)], str(theirs)) as (port, heard):
        with pytest.raises(NoInterchange, match="keys that do not match"):
            connect(settings(port, cert_dir=str(ours)), REGISTER)
        assert heard == []


def test_a_refused_registration_is_not_retried() -> None:
    with interchange([Refused("wrong version")]) as (port, heard):
        with pytest.raises(RefusedByInterchange, match="wrong version"):
            connect(settings(port, "127.0.0.1", "127.0.0.1"), REGISTER)
        assert len(heard) == 1


@pytest.mark.usefixtures("_short_timeouts")
def test_every_address_is_in_the_report(listener: socket.socket) -> None:
    port = port_of(listener)
    with pytest.raises(NoInterchange) as caught:
        connect(
            settings(
                port,
                "127.0.0.1",
                "127.0.0.2",
                "no-such-host.invalid",
                local_socket="/no/such/socket",
                local_host="node",
            ),
            REGISTER,
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "No address leads to the interchange:"
    report = "\n".join(lines[1:])
    assert "/no/such/socket: No such file or directory" in report
    assert f"tcp://127.0.0.1:{port}: connected, but there was no valid answer within 0.3 s" in report
    assert f"tcp://127.0.0.2:{port}: Connection refused" in report
    assert "no-such-host.invalid" in report
    assert len(lines) == 5


@pytest.mark.usefixtures("_short_timeouts")
def test_an_address_that_does_not_answer_is_given_up() -> None:
    """A full backlog drops new connections, as a firewall does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as waiting:
            for _ in range(3):
                sock = waiting.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            with pytest.raises(NoInterchange, match=r"no connection within 0\.2 s"):
                connect(settings(port_of(full)), REGISTER)


def test_a_wrong_address_does_not_use_up_the_time_of_the_others(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to connect runs out while the manager waits for an answer from the first address."""
    monkeypatch.setattr(registration, "CONNECT_TIMEOUT_S", 0.0)
    monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 0.1)
    with pytest.raises(NoInterchange) as caught:
        connect(settings(port_of(listener), "127.0.0.1", "127.0.0.1"), REGISTER)
    assert str(caught.value).count("connected, but there was no valid answer") == 2


def test_the_right_address_is_found_among_wrong_ones(listener: socket.socket) -> None:
    with interchange([Welcome(30)]) as (port, _):
        connect(settings(port, "127.0.0.3", "no-such-host.invalid", "127.0.0.1"), REGISTER).close(0)


def test_ipv6_addresses_work() -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this host has no IPv6")
    with interchange([Welcome(30)], address="::1") as (port, _):
        connect(settings(port, "::1"), REGISTER).close(0)


class TestLocally:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        directory = tmp_path / "private"
        directory.mkdir(mode=0o700)
        return directory

    @contextmanager
    def listening(self, directory: Path, answer: Any, patience_s: float = 0.0) -> Iterator[str]:
        """A unix socket that answers its first connection; None closes that connection instead."""
        path = str(directory / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()

            def serve() -> None:
                sock, _ = listener.accept()
                stream = MessageStream(sock)
                if answer is not None:
                    time.sleep(patience_s)
                    stream.queue([encode(answer)])
                    stream.flush()
                    sock.setblocking(True)
                    sock.recv(1)
                sock.close()

            thread = threading.Thread(target=serve)
            thread.start()
            yield path
            thread.join()

    def test_the_local_host_is_tried_first(self, directory: Path, wait_until: Any) -> None:
        with self.listening(directory, Welcome(30)) as path:
            connection = connect(settings(0, local_socket=path), REGISTER)
            assert type(connection).__name__ == "StreamConnection"
            connection.close(0)

    @pytest.mark.usefixtures("_short_timeouts")
    def test_a_busy_interchange_is_waited_for(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registration, "UNPROVEN_TIMEOUT_S", 0.3)
        with self.listening(directory, Welcome(30), patience_s=1.0) as path:
            connect(settings(0, local_socket=path), REGISTER).close(0)

    @pytest.mark.usefixtures("_short_timeouts")
    def test_a_connection_that_closes_is_in_the_report(self, directory: Path) -> None:
        with (
            self.listening(directory, None) as path,
            pytest.raises(NoInterchange, match="no valid answer"),
        ):
            connect(settings(0, local_socket=path, heartbeat_threshold_s=1), REGISTER)

    def test_the_local_socket_of_another_host_is_left_alone(self, directory: Path) -> None:
        with pytest.raises(NoInterchange) as caught:
            connect(settings(1, local_socket=str(directory / "s"), local_host="other"), REGISTER)
        assert str(directory) not in str(caught.value)

    def test_a_directory_that_others_can_enter_is_not_trusted(self, directory: Path) -> None:
        os.chmod(directory, 0o755)
        with pytest.raises(NoInterchange, match="open to others"):
            connect(settings(0, local_socket=str(directory / "s")), REGISTER)
