"""What runs serverless functions on a worker of TaskVine, which calls it a library.

A worker starts it once, with options for the pipes between them, and sends it calls. It forks for each.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote, unquote

from parsl.common.system import die_with_parent
from parsl.executors.engines import remote_call  # noqa: F401 - what every call needs, before the first fork
from parsl.executors.engines.call_file import run_call_file
from parsl.executors.taskvine.manager import READY_LINE

#: The name of function servers for TaskVine.
NAME = "parsl"
_OPTIONS = ("in-pipe-fd", "out-pipe-fd", "task-id", "worker-pid")
#: How often the server looks whether calls were cancelled, and whether its parent is there, in seconds: with
#: calls, and without. The loss of the worker closes its pipe.
_BUSY_S, _IDLE_S = 1.0, 30.0
_READ_BYTES = 1 << 16


def word_of_call(call: str, outcome: str, directory: str) -> str:
    """Return what the server needs for a call, as the name of a function: one word.

    Args:
        call: The file of the call.
        outcome: The file for its outcome.
        directory: Where the call runs; empty for the directory that the worker makes for it.
    """
    return quote(json.dumps([call, outcome, directory]))


class Call(NamedTuple):
    """A call that runs in a process."""

    #: The worker's number.
    number: str
    #: The directory that the worker has made for it, and removes to cancel it.
    sandbox: str


class FunctionServer:
    """Forks for each call that the worker sends, and reports how it has ended. Ends calls that are cancelled.

    Args:
        inbound: The descriptor of the pipe with calls.
        outbound: The descriptor of the pipe for reports.
        worker: The process id of the worker, which waits for a signal.
    """

    def __init__(self, inbound: int, outbound: int, worker: int) -> None:
        self._inbound, self._outbound, self._worker = inbound, outbound, worker
        self._parent = os.getppid()
        self._rest = b""
        self._calls: dict[int, Call] = {}
        self._ended, waker = os.pipe()
        for descriptor in (self._ended, waker):
            os.set_blocking(descriptor, False)
        for descriptor in (inbound, outbound):
            os.set_inheritable(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def introduce(self, task: int) -> None:
        """Report that the server, which is this task of the worker, is ready."""
        self._report(json.dumps({"name": NAME, "taskid": task, "exec_mode": "fork"}))

    def run(self) -> None:
        """Run calls until the worker is gone."""
        while os.getppid() == self._parent:
            limit_s = _BUSY_S if self._calls else _IDLE_S
            ready, _, _ = select.select([self._inbound, self._ended], [], [], limit_s)
            if self._ended in ready:
                os.read(self._ended, _READ_BYTES)
            self._collect()
            if not ready:
                self._end_cancelled()
            if self._inbound in ready and not self._receive():
                return

    def _receive(self) -> bool:
        received = os.read(self._inbound, _READ_BYTES)
        self._rest += received
        while b"\n" in self._rest:
            length, _, content = self._rest.partition(b"\n")
            if len(content) < int(length):
                break
            self._rest = content[int(length) :]
            self._start(content[: int(length)].decode())
        return bool(received)

    def _start(self, message: str) -> None:
        number, word, sandbox, output = message.split(" ", 3)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setpgid(0, 0)  # a task may end its group, and a cancellation ends all of it
                die_with_parent()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                code = _run(word, sandbox, output)
            finally:
                os._exit(code)
        self._calls[pid] = Call(number, sandbox)

    def _collect(self) -> None:
        """Report the calls whose processes have ended."""
        while self._calls:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if (call := self._calls.pop(pid, None)) is not None:
                self._report(f"{call.number} {code if code >= 0 else 128 - code}")

    def _end_cancelled(self) -> None:
        for pid, call in self._calls.items():
            if not os.path.isdir(call.sandbox):
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.killpg(pid, signal.SIGKILL)

    def _report(self, text: str) -> None:
        os.write(self._outbound, f"{len(text)}\n{text}".encode())
        os.kill(self._worker, signal.SIGCHLD)


def _run(word: str, sandbox: str, output: str) -> int:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    call, outcome, directory = json.loads(unquote(word))
    os.chdir(directory or sandbox)
    run_call_file(call, outcome)
    for file in (sys.stdout, sys.stderr):
        file.flush()
    return 0


def serve(*options: str) -> None:
    """Serve the worker that has started this process with these options."""
    parser = argparse.ArgumentParser()
    for name in _OPTIONS:
        parser.add_argument(f"--{name}", type=int, required=True)
    known, _ = parser.parse_known_args(options)
    server = FunctionServer(known.in_pipe_fd, known.out_pipe_fd, known.worker_pid)
    os.write(1, f"{READY_LINE}\n".encode())
    server.introduce(known.task_id)
    server.run()
