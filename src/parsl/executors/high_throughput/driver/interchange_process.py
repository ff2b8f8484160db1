"""An interchange as its parent sees it: a process, the other end of its socket, what it says on stderr."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from parsl.common.rundirs import for_the_user
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.failure_facts import tail_of

logger = logging.getLogger(__name__)

#: How long an interchange that has closed its connection has to end, in seconds.
_EXIT_PATIENCE_S = 5.0


class InterchangeProcess:
    """One interchange, from its start to its end.

    Args:
        owner: the executor's name, for errors.
        command: the words of the command that starts it; the number of its socket is added to them.
        sockets: those that it inherits, to listen on.
        output: the file that its stdout and stderr are added to.

    Raises: ConfigurationError when no process can be started by that command; OSError when there are no
        descriptors.
    """

    def __init__(
        self, owner: str, command: Sequence[str], sockets: Sequence[socket.socket], output: Path
    ) -> None:
        self._output = output
        #: It has said that it serves.
        self.is_ready = False
        #: The driver's end of its socket.
        self.sock, theirs = socket.socketpair()
        with theirs:
            try:
                self._start(owner, [*command, str(theirs.fileno())], [theirs, *sockets])
            except BaseException:
                self.sock.close()
                raise

    def _start(self, owner: str, command: Sequence[str], sockets: Sequence[socket.socket]) -> None:
        with open(self._output, "ab", opener=for_the_user) as file:
            #: How much others before it had written there.
            self._said_before = file.tell()
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    pass_fds=[sock.fileno() for sock in sockets],
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigurationError(
                    f"{owner}: the interchange cannot be started: {error}. "
                    f"Its command is {shlex.join(command[:-1])}"
                ) from error

    def __repr__(self) -> str:
        return f"<InterchangeProcess {self.pid} ready={self.is_ready}>"

    def write_first(self, settings: bytes) -> None:
        """Its settings are the first thing that it reads."""
        stream = MessageStream(self.sock)
        stream.queue([settings])
        self.sock.setblocking(True)
        try:
            stream.flush()
        except OSError:
            pass  # it has ended already; whoever reads is about to notice, and to say how

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether a signal has ended it, as far as anybody has looked."""
        return self._process.returncode is not None and self._process.returncode < 0

    def how_it_ended(self) -> str:
        """Wait for the end of a process that has closed its connection; it is ended if it does not come.

        Returns: how that was, to follow "it was".
        """
        try:
            code = self._process.wait(timeout=_EXIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "out of step and has been ended"
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """The end of what it has written, to follow a sentence; empty if it has written nothing."""
        tail = tail_of(str(self._output), begin=self._said_before)
        return f" Its last words:\n{tail}" if tail else ""

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def end(self, timeout_s: float) -> None:
        """Wait for its end, for so long, then end it."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            logger.warning("the interchange did not end within %g s: killed", timeout_s)
            self._process.kill()
            self._process.wait()

    def discard(self) -> None:
        """End one that nobody has begun to use."""
        self._process.kill()
        self._process.wait()
        self.sock.close()


def open_standard_streams() -> None:
    """Where one of the descriptors 0 to 2 is closed, open it: a socket in its place would be printed into."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
