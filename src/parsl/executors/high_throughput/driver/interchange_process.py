"""The process of one interchange, as the driver sees it."""

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
from parsl.failure_facts import tail_of

logger = logging.getLogger(__name__)

#: How long an interchange may run after it has closed its connection, in seconds.
_EXIT_PATIENCE_S = 5.0


class InterchangeProcess:
    """One interchange, from its start to its end.

    Args:
        owner: The executor's name, for errors.
        command: The command that starts the interchange; the number of its socket is appended.
        sockets: The listening sockets, which the interchange inherits.
        output: The file that stdout and stderr are appended to.

    Raises:
        ConfigurationError: The command cannot be run.
        OSError: There are no descriptors left.
    """

    def __init__(
        self, owner: str, command: Sequence[str], sockets: Sequence[socket.socket], output: Path
    ) -> None:
        self._output = output
        #: Whether the interchange has reported that it serves.
        self.is_ready = False
        #: The driver's end of the socket pair.
        self.sock, theirs = socket.socketpair()
        with theirs:
            try:
                self._start(owner, [*command, str(theirs.fileno())], [theirs, *sockets])
            except BaseException:
                self.sock.close()
                raise

    def _start(self, owner: str, command: Sequence[str], sockets: Sequence[socket.socket]) -> None:
        with open(self._output, "ab", opener=for_the_user) as file:
            #: The size of the file before, with the output of earlier interchanges.
            self._output_begin = file.tell()
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

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether the process is known to have been ended by a signal."""
        return self._process.returncode is not None and self._process.returncode < 0

    def how_it_ended(self) -> str:
        """Wait for the end of a process that has closed its connection, and kill it after a timeout.

        Returns:
            The end of a sentence that begins "The interchange was".
        """
        try:
            code = self._process.wait(timeout=_EXIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
            return "out of step and has been ended"
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """Return the end of the process's output, to follow a sentence; empty if there is none."""
        tail = tail_of(str(self._output), begin=self._output_begin)
        return f" Its last words:\n{tail}" if tail else ""

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def end(self, timeout_s: float) -> None:
        """Wait for the end of the process, and kill it after a timeout."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            logger.warning("The interchange did not end within %g s, and is killed", timeout_s)
            self.kill()
            self._process.wait()

    def discard(self) -> None:
        """Kill a process that is not used yet, and close its socket."""
        self.kill()
        self._process.wait()
        self.sock.close()


def open_standard_streams() -> None:
    """Open those of the descriptors 0 to 2 that are closed: output would be printed into a socket."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
