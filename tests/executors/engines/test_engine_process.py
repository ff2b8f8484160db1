"""The process of an engine's library: its start, its messages, its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.cctools.wire import Wire
from parsl.executors.engines.engine_process import EngineProcess, EngineProcessFailed

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

LIMIT_S = 60.0

#: Answers with what it gets, first with a greeting. Its child keeps the connection open.
ECHO = """
import os, socket, subprocess, sys
connection = socket.socket(fileno=int(sys.argv[1]))
child = subprocess.Popen(["sleep", "600"], pass_fds=[connection.fileno()])
from parsl.executors.cctools.wire import encode
connection.sendall(encode([["hello", child.pid]]))
while received := connection.recv(65536):
    connection.sendall(received)
"""


class Echo(EngineProcess):
    """A process of a script, and what it has sent or lost."""

    def __init__(self, directory: Path, script: str = ECHO) -> None:
        self.received: SimpleQueue[Any] = SimpleQueue()
        self.losses: SimpleQueue[str] = SimpleQueue()
        command = [sys.executable, "-c", script]
        super().__init__(
            command, str(directory / "log"), Wire(), self.received.put, self.losses.put, directory=directory
        )


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    echo = Echo(tmp_path)
    yield echo
    echo.stop()


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_messages_arrive_in_order_after_the_first(echo: Echo) -> None:
    assert echo.first_message(LIMIT_S)[0] == "hello"
    for number in range(100):
        echo.send(["number", number])
    assert [echo.received.get(timeout=LIMIT_S)[1] for _ in range(100)] == list(range(100))


@pytest.mark.linux
def test_nothing_stays_after_a_stop(echo: Echo, wait_until: WaitUntil) -> None:
    _, child = echo.first_message(LIMIT_S)
    assert echo.stop()
    assert not is_alive(echo.pid)
    wait_until(lambda: not is_alive(child))
    assert echo.losses.empty()
    echo.stop()


@pytest.mark.linux
def test_a_loss_is_reported_once_although_a_child_keeps_the_connection(echo: Echo) -> None:
    echo.first_message(LIMIT_S)
    os.kill(echo.pid, signal.SIGKILL)
    assert "signal 9" in echo.losses.get(timeout=LIMIT_S)
    echo.stop()
    assert echo.losses.empty()


def test_a_process_that_ends_at_the_start_is_described(tmp_path: Path) -> None:
    process = Echo(tmp_path, "import sys; sys.exit('no licence')")
    with pytest.raises(EngineProcessFailed, match=r"(?s)exit code 1.*no licence"):
        process.first_message(LIMIT_S)
    assert process.losses.empty()


def test_a_process_that_does_not_answer_is_stopped(tmp_path: Path) -> None:
    process = Echo(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(EngineProcessFailed, match=r"not answered within 0\.1 s"):
        process.first_message(0.1)
    assert not is_alive(process.pid)
