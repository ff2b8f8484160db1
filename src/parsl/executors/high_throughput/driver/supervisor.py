"""Keeps an interchange running: starts it, replaces a lost one, and gives up after repeated losses."""

from __future__ import annotations

import collections
import logging
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.driver.interchange_process import InterchangeProcess
from parsl.executors.high_throughput.driver.launch_command import interchange_command
from parsl.executors.high_throughput.driver.settings import EngineSettings
from parsl.executors.high_throughput.errors import InterchangeLost

logger = logging.getLogger(__name__)

#: After this many losses within this many seconds, the interchange is not replaced again.
MAX_LOSSES = 3
LOSSES_WITHIN_S = 60.0
#: How long a replacement may take until it serves, in seconds.
READY_WITHIN_S = 60.0
#: Pauses between attempts to start a replacement, in seconds: processes or descriptors may be exhausted.
START_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0)


class InterchangeSupervisor:
    """Owns the process of the interchange. Only the I/O thread of the connection replaces it.

    Args:
        settings: The executor's settings.
        sockets: The listening sockets, which every interchange inherits.

    Raises:
        ConfigurationError: The command of the interchange cannot be run.
        OSError: There are no descriptors left.
    """

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
        self.process = self._start()

    def __repr__(self) -> str:
        return f"<InterchangeSupervisor {self.process!r} losses={len(self._losses)}>"

    @property
    def is_stopping(self) -> bool:
        """Whether a lost interchange is not replaced any more, because the executor shuts down."""
        return self._stopping.is_set()

    def mark_ready(self) -> None:
        """Record that the interchange serves."""
        self.process.is_ready = True
        self._end_watch()

    def stop(self) -> None:
        """Replace the interchange no more."""
        self._stopping.set()

    def end(self, timeout_s: float) -> None:
        """Wait for the end of the interchange, and kill it after a timeout."""
        self.process.end(timeout_s)
        self._end_watch()

    def disown(self) -> None:
        """Do nothing more in a forked child, where a thread that does not exist may hold the event's lock."""
        self._stopping = threading.Event()
        self._stopping.set()

    def replace(self) -> InterchangeProcess | None:
        """Start a replacement of the lost interchange.

        Returns:
            The replacement; None if the executor shuts down, or if another attempt would be in vain.
        """
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
        """Describe the loss of an interchange that is not replaced."""
        process, count = self.process, len(self._losses)
        before = f", as {count - 1} before it within {LOSSES_WITHIN_S:g} s" if count == MAX_LOSSES else ""
        return InterchangeLost(
            f"The interchange of executor {self._settings.label} (pid {process.pid}) was "
            f"{process.how_it_ended()}{before}.{self.failed_start}{process.last_words()}"
        )

    def _start_patiently(self) -> InterchangeProcess | None:
        for pause_s in (*START_AGAIN_AFTER_S, None):
            try:
                self.process = replacement = self._start_watched()
            except (ConfigurationError, OSError, RuntimeError) as error:
                logger.error("The interchange of executor %s: %s", self._settings.label, error)
                self.failed_start = f" Another could not be started: {error}"
                if pause_s is None or self._stopping.wait(pause_s):
                    break
            else:
                self.failed_start = ""
                return replacement
        return None

    def _start(self) -> InterchangeProcess:
        settings = self._settings
        command = interchange_command(settings.interchange_command)
        output = Path(settings.log_dir, "interchange.stderr")
        return InterchangeProcess(settings.owner, command, self._sockets, output)

    def _start_watched(self) -> InterchangeProcess:
        self._end_watch()
        process = self._start()
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
