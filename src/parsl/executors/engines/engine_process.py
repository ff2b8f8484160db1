"""A process for an engine's library, which blocks, or may end its process: the driver's side of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from parsl.common.processes import wait_for_exit
from parsl.common.threads import join

#: How long a process may take to exit once its connection is closed, and the threads after it, in seconds.
EXIT_LIMIT_S = 10.0
_RECEIVE_BYTES = 1 << 20
_SHOWN_LOG_BYTES = 2000


class EngineProcessFailed(Exception):
    """The process could not start, or has ended. The text is the reason."""


class Codec(Protocol):
    """Encodes and decodes messages. Keeps what has arrived of an incomplete message."""

    @abstractmethod
    def encode(self, messages: list[Any]) -> bytes:
        """Return messages as bytes."""

    @abstractmethod
    def feed(self, received: bytes) -> Sequence[Any]:
        """Return the messages that the bytes complete."""


class EngineProcess:
    """A process and the connection to it. Its threads send, receive, and wait for its end.

    The process is in a session of its own, so that Ctrl-C in the terminal reaches the driver alone.

    Args:
        command: What starts the process; the number of its socket's descriptor is appended.
        log: The file for what the process prints.
        codec: Encodes and decodes messages.
        receive: Called with each message but the first, in the receiving thread; must not wait.
        lost: Called once with the reason when the process has ended without :meth:`stop`, in that thread.
        directory: The working directory of the process; None for that of the driver.
        variables: Its environment variables; None for those of the driver.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: str,
        codec: Codec,
        receive: Callable[[Any], None],
        lost: Callable[[str], None],
        *,
        directory: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._log, self._codec = log, codec
        self._receive, self._lost = receive, lost
        self._is_stopping = False
        self._outgoing: SimpleQueue[Any] = SimpleQueue()
        self._first: Future[Any] = Future()
        self._socket, theirs = socket.socketpair()
        with theirs, open(log, "ab") as output:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                cwd=directory,
                env=variables,
                start_new_session=True,
            )
        threads = {"send": self._send_all, "receive": self._receive_all, "watch": self._watch}
        self._threads = [
            threading.Thread(target=target, name=f"parsl-engine-{name}", daemon=True)
            for name, target in threads.items()
        ]
        for thread in self._threads:
            thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} pid={self.pid}>"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def first_message(self, limit_s: float) -> Any:
        """Wait for the first message, and return it. The process is stopped if no message arrives.

        Raises:
            EngineProcessFailed: The process has ended, or has sent nothing within the limit (seconds).
        """
        try:
            return self._first.result(limit_s)
        except FutureTimeout:
            self.stop(0)
            raise EngineProcessFailed(
                f"has not answered within {limit_s:g} s; the end of {self._log}: {self._end_of_log()}"
            ) from None
        except BaseException:
            self.stop(0)
            raise

    def send(self, message: Any) -> None:
        """Send a message soon, together with others that wait. Any thread may call this.

        If the process is gone, the message is lost; the receiving thread detects that.
        """
        self._outgoing.put(message)

    def stop(self, limit_s: float = EXIT_LIMIT_S) -> bool:
        """End the process and what it has started. May be called again.

        Args:
            limit_s: How long the process may take by itself, in seconds.

        Returns:
            Whether it has ended by itself.
        """
        self._is_stopping = True
        self._outgoing.put(None)
        sender, *others = self._threads
        join(sender, limit_s)
        with suppress(OSError):  # the process has ended already
            self._socket.shutdown(socket.SHUT_WR)
        with suppress(subprocess.TimeoutExpired):
            wait_for_exit(self._process, limit_s)
        has_ended = self._process.poll() is not None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for thread in others:
            join(thread, EXIT_LIMIT_S)
        self._socket.close()
        return has_ended

    def _send_all(self) -> None:
        while True:
            batch = [self._outgoing.get()]
            while not self._outgoing.empty():
                batch.append(self._outgoing.get())
            try:
                self._socket.sendall(self._codec.encode([each for each in batch if each is not None]))
            except OSError:
                return  # the receiving thread finds out why
            if None in batch:
                return

    def _watch(self) -> None:
        """End the receiving thread with the process, whose own children may keep the connection open."""
        self._process.wait()
        with suppress(OSError):  # it is closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def _receive_all(self) -> None:
        while received := self._next_bytes():
            for message in self._codec.feed(received):
                if not self._first.done():
                    self._first.set_result(message)
                elif not self._is_stopping:
                    self._receive(message)
        reason = self._end()
        if not self._first.done():
            self._first.set_exception(EngineProcessFailed(reason))
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
            code = wait_for_exit(self._process, EXIT_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"has closed its connection; its log is {self._log}"
        how = f"was ended by signal {-code}" if code < 0 else f"has ended with exit code {code}"
        return f"{how}; the end of {self._log}: {self._end_of_log()}"

    def _end_of_log(self) -> str:
        with open(self._log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _SHOWN_LOG_BYTES))
            return file.read().decode(errors="replace").strip() or "(empty)"
