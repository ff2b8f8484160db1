"""Runs the user data of machines, and the commands of pods, as processes of this machine.

Each machine has a private directory, in which its console is a file, and a command ``shutdown`` of its own,
which comes first on its PATH: the real one is never run. A machine ends when it calls ``shutdown``, or when
it is killed; then all its processes are killed. A pod also ends when its command has ended.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from parsl.common.processes import kill_tree

_SHUTDOWN = """#!/bin/sh
echo shutdown >{power}
exec sleep 1000000
"""
#: The machine: its user data, and a process that stays when the user data has ended.
_MACHINE = "bash ./user-data </dev/null >console 2>&1 & exec sleep 1000000"
_PROGRAMS = str(Path(sys.executable).parent)
#: A test that creates more than this has an error, and must not fill this machine with processes.
_MAX_RUNNING = 40


class Ended(NamedTuple):
    """The end of a machine or pod."""

    name: str
    #: Whether it has ended without a call of :meth:`ProcessHost.kill`.
    by_itself: bool
    #: The exit code of a pod's command, minus the number of a signal; None for a machine.
    exit_code: int | None


class ProcessHost:
    """Runs machines and pods. Any thread may call the methods.

    Args:
        directory: A directory for the private directories of the machines.
        on_end: Called with the end of each machine or pod, from a thread of its own.
    """

    def __init__(self, directory: Path, on_end: Callable[[Ended], None] = lambda ended: None) -> None:
        self._directory = directory
        self._on_end = on_end
        self._running: dict[str, _Member] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<ProcessHost {len(self._running)} running>"

    def start_machine(self, name: str, user_data: str) -> None:
        """Start a machine that runs a script, and that stays up until ``shutdown`` or :meth:`kill`."""
        home = self._make_home(name)
        (home / "user-data").write_text(user_data, errors="surrogateescape")
        with (home / "launch").open("wb") as out:
            self._start(name, home, ["bash", "-c", _MACHINE], {}, out)

    def start_pod(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a pod, which ends when its command has ended."""
        home = self._make_home(name)
        with (home / "console").open("wb") as out:
            member = self._start(name, home, command, environment, out)
        threading.Thread(target=member.report_end, daemon=True).start()

    def kill(self, name: str) -> bool:
        """Kill everything of a machine or pod, and wait for that; return whether it was running."""
        with self._lock:
            member = self._running.get(name)
        if member is None:
            return False
        member.kill()
        member.thread.join()
        return True

    def running(self) -> list[str]:
        """Return the names of the machines and pods that have not ended."""
        with self._lock:
            return list(self._running)

    def console(self, name: str) -> str:
        """Return what a machine or pod has written; empty if it has never existed."""
        try:
            return (self._directory / name / "console").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """Kill everything."""
        for name in self.running():
            self.kill(name)

    def _make_home(self, name: str) -> Path:
        assert len(self.running()) < _MAX_RUNNING, f"{_MAX_RUNNING} machines are running"
        home = self._directory / name
        (home / "bin").mkdir(parents=True)
        os.mkfifo(home / "power")
        stub = home / "bin" / "shutdown"
        stub.write_text(_SHUTDOWN.format(power=shlex.quote(str(home / "power"))))
        stub.chmod(0o700)
        return home

    def _start(
        self, name: str, home: Path, command: Sequence[str], more: Mapping[str, str], out: IO[bytes]
    ) -> _Member:
        path = os.pathsep.join((str(home / "bin"), _PROGRAMS, os.environ.get("PATH", os.defpath)))
        environment = {**os.environ, "PATH": path, "HOME": str(home), "TMPDIR": str(home), **more}
        power = os.open(home / "power", os.O_RDWR | os.O_CLOEXEC)
        process = subprocess.Popen(
            list(command),
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        member = _Member(name, process, power, self._ended)
        with self._lock:
            self._running[name] = member
        member.thread.start()
        return member

    def _ended(self, ended: Ended) -> None:
        with self._lock:
            del self._running[ended.name]
        self._on_end(ended)


class _Member:
    """One machine or pod; its thread waits for the first line in the pipe ``power``."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], power: int, on_end: Callable[[Ended], None]
    ) -> None:
        self.name = name
        self.thread = threading.Thread(target=self._watch, name=f"stand-in-{name}", daemon=True)
        self._process = process
        self._power: int | None = power
        self._on_end = on_end
        self._lock = threading.Lock()

    def kill(self) -> None:
        self._write(b"kill")

    def report_end(self) -> None:
        """Wait for the end of the command."""
        try:
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return  # it was killed, and is reported as that
        self._write(b"end")

    def _write(self, word: bytes) -> None:
        with self._lock:
            if self._power is not None:
                os.write(self._power, word + b"\n")

    def _watch(self) -> None:
        assert self._power is not None
        cause = os.read(self._power, 100).split()[0]
        with self._lock:
            os.close(self._power)
            self._power = None
        kill_tree(self._process.pid)
        code = self._process.wait()
        self._on_end(Ended(self.name, cause != b"kill", code if cause == b"end" else None))
