"""The managers' unix socket against garbage, invalid messages, wrong registrations and other users."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parsl.executors.high_throughput.errors import ManagerRefusedWarning
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, read_settings
from tests.executors.high_throughput.test_htex_security import registration
from tests.support.waiting import wait_until
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver, StartRun

NOISE = {
    "nothing": b"",
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "ones": b"\xff" * 4096,
    "zeros": bytes(4096),
    "text": b"x" * 100_000,
}


def socket_of(run_dir: Path) -> str:
    path = read_settings(run_dir / "000" / "htex" / SETTINGS_FILE).local_socket
    assert path
    return path


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(path)
    return sock


def test_garbage_closes_only_its_own_connection(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run()
    future = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    for noise in [*NOISE.values(), os.urandom(10_000)]:
        with connect(socket_of(tmp_path / "r")) as sock:
            try:
                sock.sendall(noise)
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(1) == b"", "it was let go"
            except OSError:
                pass  # the connection was already closed
    assert run.send(tasks.add, 1).result(timeout=30) == 1
    (tmp_path / "release").touch()
    assert future.result(timeout=30) > 0
    assert len(run.executor.connected_managers()) == 1


def test_invalid_messages_and_those_of_unknown_peers_are_dropped(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run()
    run.warm_up()
    forged = protocol.Results([protocol.Result(number, protocol.DONE, b"forged") for number in range(50)])
    with connect(socket_of(tmp_path / "r")) as sock:
        stream = MessageStream(sock)
        sock.setblocking(True)
        for noise in (
            [b""],
            [b"garbage"],
            [b"\x92\xa7Goodbye\xa2\xcd\x00"],
            [protocol.encode(forged)],
            [protocol.encode(protocol.Goodbye("unknown"))],
            [protocol.encode(protocol.HeldTasks(1, [1, 2, 3]))],
            [protocol.encode(protocol.Draining()), b"frames", b"that nobody wants"],
        ):
            stream.queue(noise)
        stream.flush()
        assert run.send(tasks.add, 1).result(timeout=30) == 1
    assert "unreadable message" in (tmp_path / "r" / "000" / "htex" / "interchange.log").read_text()
    assert run.send(tasks.add, 2).result(timeout=30) == 2
    assert len(run.executor.connected_managers()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 10_000},
        {"parsl_version": "1999.01.01"},
        {"python_version": "2.7"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_registration_of_another_version_is_refused_and_the_run_continues(
    start_run: StartRun,
    tmp_path: Path,
    wait_until: WaitUntil,
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
    change: dict[str, Any],
) -> None:
    run = start_run()
    run.warm_up()
    for name in ("foreign", "another"):
        wrong = msgspec.structs.replace(registration(name), **change)
        assert "start both from the same environment" in answer_to(socket_of(tmp_path / "r"), wrong).reason
    wait_until(lambda: caplog.text.count("continues without a manager that was refused") == 2)
    [warning] = [one for one in recwarn.list if one.category is ManagerRefusedWarning]
    whose = f"that of block {wrong.block} on {wrong.host} runs "
    assert whose in str(warning.message)
    assert str(next(iter(change.values()))) in str(warning.message)
    assert run.send(tasks.add, 1).result(timeout=30) == 1
    assert len(run.executor.connected_managers()) == 1


def answer_to(path: str, register: protocol.Register) -> Any:
    """Return the first answer to a registration."""
    with connect(path) as sock:
        stream = MessageStream(sock)
        stream.queue([protocol.encode(register)])
        stream.flush()
        sock.settimeout(30)
        messages = wait_until(stream.receive)
        return protocol.decode_to_manager(messages[0][0])


#: The other user may have no access to this Python, so the user changes after its start.
KNOCK = """
import os, socket, sys
os.setgroups([])
os.setgid(4321)
os.setuid(4321)
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user needs root")
def test_another_user_cannot_reach_the_socket(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run()
    run.warm_up()
    other = [sys.executable, "-c", KNOCK, socket_of(tmp_path / "r")]
    done = subprocess.run(other, cwd="/", capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_managers_beyond_the_available_descriptors_are_refused(
    start_driver: StartDriver, wait_until: WaitUntil
) -> None:
    driver = start_driver(
        """
        @python_app
        def double(x):
            return 2 * x

        with parsl.load(make_config()):
            assert double(1).result() == 2
            open("begun", "w").close()
            wait_for_file("end")
            print(sum(future.result(timeout=60) for future in [double(x) for x in range(100)]))
        """,
        command=["bash", "-c", f'ulimit -n 128; exec {sys.executable} -W ignore "$0"'],
    )
    wait_until((driver.directory / "begun").exists)
    [path] = driver.sockets()
    kept: list[socket.socket] = []
    answers: list[Any] = []
    for number in range(120):
        kept.append(connect(path))
        stream = MessageStream(kept[-1])
        stream.queue([protocol.encode(registration(f"manager {number}"))])
        try:
            stream.flush()
        except BrokenPipeError:
            pass  # the connection was refused before the registration was sent
        kept[-1].settimeout(30)
        try:
            messages = wait_until(stream.receive)
            answers.append(protocol.decode_to_manager(messages[0][0]))
        except (EOFError, OSError):
            answers.append(None)
    welcome = [isinstance(answer, protocol.Welcome) for answer in answers]
    assert 10 < sum(welcome) < 120
    refused = [answer for answer in answers if isinstance(answer, protocol.Refused)]
    assert refused
    assert all("no open files for more" in answer.reason for answer in refused)
    (driver.directory / "end").touch()
    assert driver.wait(60) == 0, driver.output
    assert driver.output == "9900\n"
    for sock in kept:
        sock.close()
