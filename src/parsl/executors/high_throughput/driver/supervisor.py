"""Keeps an interchange running: starts it, replaces a lost one, and gives up after repeated losses."""

from __future__ import annotations

import collections
import logging
import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from parsl.common.processes import wait_for_exit
from parsl.common.rundirs import for_the_user
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.driver.launch import EngineSettings
from parsl.executors.high_throughput.driver.launch_commands import interchange_command, interchange_path
from parsl.executors.high_throughput.errors import InterchangeLost
from parsl.failure_facts import tail_of

logger = logging.getLogger(__name__)

#: After this many losses within this many seconds, the interchange is not replaced again.
MAX_LOSSES = 3
LOSSES_WITHIN_S = 60.0
#: How long a replacement may take until it serves, in seconds.
READY_WITHIN_S = 60.0
#: Pauses between attempts to start a replacement, in seconds: processes or descriptors may be exhausted.
START_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0)
#: How long an interchange may run after it has closed its connection, in seconds.
_EXIT_PATIENCE_S = 5.0


class InterchangeSupervisor:
    """Owns the process of the interchange. Only the I/O thread of the connection replaces it."""

    def __init__(self, settings: EngineSettings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._stopping = threading.Event()
        #: Times of the latest losses.
        self._losses: collections.deque[float] = collections.deque(maxlen=MAX_LOSSES)
        #: Kills a replacement that does not serve in time.
        self._watch: threading.Timer | None = None
        #: Why the latest attempt to start a replacement failed; empty if it succeeded.
        self.failed_start = ""
        #: The interchange that runs now, or that ran last.
        self.process = InterchangeProcess(settings, sockets)

    def __repr__(self) -> str:
        return f"<InterchangeSupervisor {self.process!r} losses={len(self._losses)}>"

    @property
    def is_stopping(self) -> bool:
        """Whether a lost interchange is not replaced any more, because the executor shuts down."""
        return self._stopping.is_set()

    def mark_ready(self) -> None:
        self.process.is_ready = True
        self._end_watch()

    def stop(self) -> None:
        self._stopping.set()

    def end(self, timeout_s: float) -> None:
        self.process.end(timeout_s)
        self._end_watch()

    def disown(self) -> None:
        """Do nothing more in a forked child, where a thread that does not exist may hold the event's lock."""
        self._stopping = threading.Event()
        self._stopping.set()

    def replace(self) -> socket.socket | None:
        """Start a replacement and return its socket; None during a shutdown, or if no attempt can succeed."""
        lost = self.process
        if self.is_stopping:
            return None
        self._losses.append(time.monotonic())
        how = lost.how_it_ended()
        if self.is_stopping:
            return None
        is_used_up = len(self._losses) == MAX_LOSSES and self._losses[-1] - self._losses[0] < LOSSES_WITHIN_S
        if is_used_up or not (lost.is_ready or lost.was_killed):
            return None
        logger.warning(
            "The interchange of executor %s (pid %d) was %s. It is replaced, and no task is lost.",
            self._settings.label, lost.pid, how,
        )  # fmt: skip
        return self._start_patiently()

    def loss(self) -> InterchangeLost:
        process, count = self.process, len(self._losses)
        before = f", as {count - 1} before it within {LOSSES_WITHIN_S:g} s" if count == MAX_LOSSES else ""
        return InterchangeLost(
            f"The interchange of executor {self._settings.label} (pid {process.pid}) was "
            f"{process.how_it_ended()}{before}.{self.failed_start}{process.last_words()}"
        )

    def _start_patiently(self) -> socket.socket | None:
        for pause_s in (*START_AGAIN_AFTER_S, None):
            try:
                self.process = self._start_watched()
            except (ConfigurationError, OSError, RuntimeError) as error:
                logger.error("The interchange of executor %s: %s", self._settings.label, error)
                self.failed_start = f" Another could not be started: {error}"
                if pause_s is None or self._stopping.wait(pause_s):
                    break
            else:
                self.failed_start = ""
                return self.process.sock
        return None

    def _start_watched(self) -> InterchangeProcess:
        self._end_watch()
        process = InterchangeProcess(self._settings, self._sockets)
        watch = threading.Timer(READY_WITHIN_S, self._check_ready, (process,))
        watch.daemon = True
        try:
            watch.start()
        except RuntimeError:  # no more threads can be started
            process.discard()
            raise
        self._watch = watch
        return process

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _check_ready(self, process: InterchangeProcess) -> None:
        """Kill a replacement that does not serve: the kill counts as another loss."""
        if self.process is process and not process.is_ready and not self.is_stopping:
            logger.error("The interchange (pid %d) does not serve, and is killed", process.pid)
            process.kill()


class InterchangeProcess:
    """One interchange, from its start to its end."""

    def __init__(self, settings: EngineSettings, sockets: Sequence[socket.socket]) -> None:
        command = interchange_command(settings.interchange_command)
        self._output = Path(settings.log_dir, "interchange.stderr")
        #: Whether the interchange has reported that it serves.
        self.is_ready = False
        #: The driver's end of the socket pair.
        self.sock, theirs = socket.socketpair()
        with theirs:
            try:
                self._start(settings.owner, [*command, str(theirs.fileno())], [theirs, *sockets])
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
                    env={**os.environ, "PATH": interchange_path()},
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
        """Wait for the end of a lost process, or kill it. The text continues "The interchange was"."""
        try:
            code = wait_for_exit(self._process, _EXIT_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "out of step and has been ended"
        return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """Return the end of the process's output, to follow a sentence; empty if there is none."""
        tail = tail_of(str(self._output), begin=self._output_begin)
        return f" Its last words:\n{tail}" if tail else ""

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def end(self, timeout_s: float) -> None:
        try:
            wait_for_exit(self._process, timeout_s)
        except subprocess.TimeoutExpired:
            logger.warning("The interchange did not end within %g s, and is killed", timeout_s)
            self.kill()

    def discard(self) -> None:
        """Kill a process that is not used yet, and close its socket."""
        self.kill()
        self.sock.close()


def open_standard_streams() -> None:
    """Open those of the descriptors 0 to 2 that are closed: output would be printed into a socket."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
