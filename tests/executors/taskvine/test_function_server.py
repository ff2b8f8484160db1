"""A function server, with the test as its worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.engines.remote_call import CallPacker, read_outcome
from parsl.executors.taskvine.function_server import NAME, word_of_call

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

pytestmark = [pytest.mark.linux]

#: Starts a server, as a worker does.
SERVE = "import sys; from parsl.executors.taskvine.function_server import serve; serve(*sys.argv[1:])"


class Worker:
    """Starts a server, sends it calls, and receives its reports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        theirs_in, self._calls = os.pipe()
        self._reports, theirs_out = os.pipe()
        options = {
            "in-pipe-fd": theirs_in,
            "out-pipe-fd": theirs_out,
            "task-id": 7,
            "worker-pid": os.getpid(),
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        self.server = Popen(
            [sys.executable, "-c", SERVE, *words, "--function-slots=2"],
            pass_fds=[theirs_in, theirs_out],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # for the functions of this module
        )
        os.close(theirs_in)
        os.close(theirs_out)

    def call(self, number: int, function: Any, *args: Any) -> Path:
        """Send a call, and return its directory."""
        sandbox = self.directory / str(number)
        sandbox.mkdir()
        (sandbox / "call").write_bytes(CallPacker().pack(function, args, {}))
        message = f"{number} {word_of_call('call', 'outcome', '')} {sandbox} {sandbox}/output".encode()
        os.write(self._calls, b"%d\n%s" % (len(message), message))
        return sandbox

    def report(self) -> str:
        """Wait for a report."""
        length = b""
        while (byte := os.read(self._reports, 1)) not in (b"\n", b""):
            length += byte
        return os.read(self._reports, int(length)).decode()

    def end(self) -> None:
        """Close the connection, which ends the server."""
        os.close(self._calls)
        self.server.wait(60)
        os.close(self._reports)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    # The server wakes its worker with this signal, which this process ignores by default.
    assert signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, signal.SIG_IGN)
    worker = Worker(tmp_path)
    assert f'"name": "{NAME}", "taskid": 7' in worker.report()
    yield worker
    worker.end()


def report_directory(text: str) -> str:
    print(text)
    return os.getcwd()


def test_a_call_runs_in_its_directory(worker: Worker) -> None:
    sandbox = worker.call(1, report_directory, "hello")
    assert worker.report() == "1 0"
    assert read_outcome((sandbox / "outcome").read_bytes()).value == str(sandbox)
    assert (sandbox / "output").read_text() == "hello\n"


def test_calls_that_end_their_process_are_reported(worker: Worker) -> None:
    worker.call(1, os._exit, 9)
    assert worker.report() == "1 9"
    worker.call(2, os.kill, 0, signal.SIGKILL)  # its own group, which the server is not in
    assert worker.report() == "2 137"
    worker.call(3, abs, -1)
    assert worker.report() == "3 0"


def touch_and_wait(path: str) -> None:
    import time

    Path(path).touch()
    time.sleep(600)


def test_a_call_whose_directory_is_removed_is_cancelled(
    worker: Worker, tmp_path: Path, wait_until: WaitUntil
) -> None:
    started = tmp_path / "started"
    sandbox = worker.call(1, touch_and_wait, str(started))
    wait_until(started.exists)
    sandbox.rename(tmp_path / "elsewhere")
    assert worker.report() == "1 137"
