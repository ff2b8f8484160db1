"""The driver's side of a manager process: starts it, sends to it, and notices its end."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from queue import SimpleQueue
from typing import Any

from parsl.common.threads import join
from parsl.executors.cctools.wire import FAILED, OPEN, READY, Decoder, Record, encode

#: How long the library may take to start, in seconds.
START_LIMIT_S = 60.0
#: How long it may take to release its workers at the end, in seconds.
STOP_LIMIT_S = 10.0
_RECEIVE_BYTES = 1 << 20
_SHOWN_LOG_BYTES = 2000


class ManagerFailed(Exception):
    """The manager process could not start, or has ended. The text is the reason."""


class ManagerProcess:
    """A manager process and the connection to it. Two threads belong to it: one sends, one receives.

    Args:
        command: What starts the process; the number of its socket's descriptor is appended.
        log: The file for what the process prints.
        receive: Called with each record, in the receiving thread.
        lost: Called once with the reason when the process has ended without :meth:`stop`, in that thread.
    """

    def __init__(
        self, command: list[str], log: str, receive: Callable[[Record], None], lost: Callable[[str], None]
    ) -> None:
        self._log = log
        self._receive = receive
        self._lost = lost
        self._is_stopping = False
        self._outgoing: SimpleQueue[Record | None] = SimpleQueue()
        self._ready: Future[dict[str, Any]] = Future()
        self._socket, theirs = socket.socketpair()
        with theirs, open(log, "ab") as output:
            # In a session of its own, so that Ctrl-C in the terminal reaches the driver alone.
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._sender = threading.Thread(target=self._send_all, name="parsl-cctools-send", daemon=True)
        self._receiver = threading.Thread(target=self._receive_all, name="parsl-cctools-receive", daemon=True)

    def start(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Start the library with these settings, and return what it reports.

        Raises:
            ManagerFailed: The library could not start.
        """
        self._sender.start()
        self._receiver.start()
        self.send([OPEN, settings])
        try:
            return self._ready.result(START_LIMIT_S)
        except FutureTimeout:
            self.stop(0)
            raise ManagerFailed(
                f"it has not answered within {START_LIMIT_S:g} s; its log is {self._log}"
            ) from None
        except ManagerFailed:
            self.stop(0)
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, record: Record) -> None:
        """Send a record soon, together with others that wait. Any thread may call this."""
        self._outgoing.put(record)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """End the process. May be called again.

        Args:
            limit_s: How long the process may take by itself, in seconds.
        """
        self._is_stopping = True
        self._outgoing.put(None)
        join(self._sender, limit_s)
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the process has ended already
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        join(self._receiver, limit_s)
        self._socket.close()

    def _send_all(self) -> None:
        while True:
            batch = [self._outgoing.get()]
            while not self._outgoing.empty():
                batch.append(self._outgoing.get())
            records = [record for record in batch if record is not None]
            try:
                self._socket.sendall(encode(records))
            except OSError:
                return  # the receiving thread finds out why
            if None in batch:
                return

    def _receive_all(self) -> None:
        decoder = Decoder()
        while received := self._next_bytes():
            for record in decoder.feed(received):
                if record[0] == READY:
                    self._ready.set_result(record[1])
                elif record[0] == FAILED:
                    self._ready.set_exception(ManagerFailed(record[1]))
                else:
                    self._receive(record)
        reason = self._end()
        if not self._ready.done():
            self._ready.set_exception(ManagerFailed(reason))
        elif not self._is_stopping:
            self._lost(reason)

    def _next_bytes(self) -> bytes:
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except OSError:
            return b""

    def _end(self) -> str:
        """Describe how the process has ended."""
        try:
            code = self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"it has closed its connection; its log is {self._log}"
        how = f"was ended by signal {-code}" if code < 0 else f"has ended with exit code {code}"
        return f"it {how}; the end of {self._log}: {self._end_of_log()}"

    def _end_of_log(self) -> str:
        with open(self._log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _SHOWN_LOG_BYTES))
            return file.read().decode(errors="replace").strip() or "(empty)"
