"""The driver's side of a session: starts its process, exchanges messages, and ends it in any case."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.radical.messages import (
    FromSession,
    Opened,
    Settings,
    ToSession,
    decode_from_session,
    line,
)

logger = logging.getLogger(__name__)

#: How long a session may take to open and to close, in seconds.
START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
#: How long its process may take to exit once its connection is closed, in seconds.
_EXIT_LIMIT_S = 10.0
_MAX_TAIL = 2000
_KILL_ROUNDS = 5


class SessionProcess:
    """A process with a session of RADICAL-Pilot. Any thread may send; a thread of its own receives.

    Args:
        owner: The executor, for errors.
        settings: What the process needs.
        directory: For its output, its logs, and the sandbox of a pilot on this machine.
        receive: Called with each message in the receiving thread; must not wait.
        lost: Called with the reason if the process ends by itself.

    Raises:
        EngineUnreachable: The session was not opened in time.
    """

    def __init__(
        self,
        owner: Any,
        settings: Settings,
        directory: Path,
        receive: Callable[[FromSession], None],
        lost: Callable[[str], None],
    ) -> None:
        self._receive, self._lost = receive, lost
        self._output = directory / "session.output"
        self._uid = ""
        self._is_closing = False
        self._opened = threading.Event()
        self._send_lock = threading.Lock()
        self._connection, theirs = socket.socketpair()
        with theirs, open(self._output, "wb") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "parsl.executors.radical.session_process",
                    msgspec.json.encode(settings).decode(),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=_environment(directory),
                start_new_session=True,
            )
        self._thread = threading.Thread(target=self._run, name="radical-session", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="radical-watch", daemon=True).start()
        try:
            reason = self._wait_until_open()
        except BaseException:
            self._is_closing = True
            self._kill()
            raise
        if reason:
            self._is_closing = True
            self._kill()
            self._thread.join()
            raise EngineUnreachable(owner, f"RADICAL-Pilot {reason}. {self._tail()}")

    def __repr__(self) -> str:
        return f"<SessionProcess {self._uid or 'not open'} pid={self._process.pid}>"

    def _wait_until_open(self) -> str:
        """Return why there is no session; empty if there is one."""
        if not self._opened.wait(START_LIMIT_S):
            return f"has not opened a session within {START_LIMIT_S:g} s"
        if self._uid:
            return ""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_LIMIT_S)
        return f"has opened no session: its process has ended with exit code {self._process.returncode}"

    def send(self, message: ToSession) -> None:
        """Send a message; a process that is gone loses it, which is noticed elsewhere."""
        try:
            with self._send_lock:
                self._connection.sendall(line(message))
        except OSError as error:
            logger.info("A message to RADICAL-Pilot was not sent: %s", error)

    def _watch(self) -> None:
        """End the receiving thread with the process, whose own children keep the connection open."""
        self._process.wait()
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed

    def _run(self) -> None:
        with self._connection.makefile("rb") as stream:
            try:
                for each in stream:
                    self._handle(decode_from_session(each))
            except OSError:
                pass
        self._opened.set()
        if not self._is_closing:
            self._lost(f"The process with the session of RADICAL-Pilot has ended. {self._tail()}")

    def _handle(self, message: FromSession) -> None:
        if isinstance(message, Opened):
            self._uid = message.session
            self._opened.set()
        elif not self._is_closing:
            self._receive(message)

    def _tail(self) -> str:
        text = self._output.read_text(errors="replace")[-_MAX_TAIL:].strip()
        return f"Its output ended with:\n{text}" if text else "It has printed nothing."

    def close(self) -> None:
        """Close the session, by force if that takes longer than STOP_LIMIT_S; nothing of it stays."""
        self._is_closing = True
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the process has ended
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            logger.warning("RADICAL-Pilot has not ended within %g s, and is ended by force", STOP_LIMIT_S)
        self._kill()
        self._thread.join()
        self._connection.close()

    def _kill(self) -> None:
        """End what is left: the process and its children, and those of a pilot on this machine."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        if self._uid:
            _end_processes_with(self._uid)


def _environment(directory: Path) -> dict[str, str]:
    """Return the variables of the process: RADICAL-Pilot finds an environment only if it is activated.

    RADICAL-Pilot writes them into a shell script that expands their values. Values that the shell cannot
    expand, such as those that ``make`` exports, would end the pilot.
    """
    variables = {
        **{name: value for name, value in os.environ.items() if "${" not in value},
        "RADICAL_BASE": str(directory),
        "RADICAL_REPORT": "FALSE",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }
    if sys.prefix != sys.base_prefix:
        variables["VIRTUAL_ENV"] = sys.prefix
    return variables


def _end_processes_with(text: str) -> None:
    """Kill these processes, and those that they have started meanwhile."""
    import psutil

    for _ in range(_KILL_ROUNDS):
        found = processes_with(text)
        if not found:
            break
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=2)


def processes_with(text: str) -> list[Any]:
    """Return the running processes of this user that have a text in their command or their directory.

    Those with a terminal are not among them: the user may follow a log, or have a shell in the directory.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.uids().real != os.getuid():
                continue
            if process.terminal() is not None:
                continue
            if text in " ".join(process.cmdline()) or text in process.cwd():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
