"""Commands that the interchange runs after the driver's death, so that the scheduler cancels its jobs.

A driver that shuts down normally cancels its jobs itself. Without these commands the queued jobs of a killed
driver would start some day.
"""

from __future__ import annotations

import logging
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

logger = logging.getLogger("parsl.htex.interchange")

#: How long the commands run before managers are stopped (seconds): when managers exit, nodes become free, on
#: which jobs start that are still in the queue.
HEAD_START_S = 5.0
#: How long each command, and all of them, may take (seconds). The last one may take the time that is left: a
#: command that terminates the machines of a run looks for them several times.
PATIENCE_S = 60.0
PATIENCE_IN_ALL_S = 600.0
#: How long to wait for a killed command (seconds). One that waits for a dead file system cannot be killed.
KILLED_WITHIN_S = 1.0


class CleanupRunner:
    """Runs the commands one after the other, in their order. Owned by the interchange's loop."""

    def __init__(self) -> None:
        #: Programs with their arguments, the most urgent first.
        self.commands: list[list[str]] = []
        self._running: Popen[bytes] | None = None
        self._began_s = 0.0

    def __repr__(self) -> str:
        return f"<CleanupRunner commands={len(self.commands)} running={self._running is not None}>"

    def take(self, commands: list[list[str]], is_addition: bool) -> None:
        """Take commands of the driver, in place of the earlier ones or, as an addition, before these."""
        self.commands = commands + self.commands if is_addition else commands

    def begin(self) -> None:
        """Run as many commands as the head start allows. They share the interchange's standard output."""
        deadline_s = time.monotonic() + HEAD_START_S
        while self._start_next() and self._has_ended(deadline_s):
            pass

    def finish(self) -> None:
        """Run the remaining commands, and kill those that take too long."""
        deadline_s = time.monotonic() + PATIENCE_IN_ALL_S
        while self._start_next():
            until_s = self._began_s + PATIENCE_S if self.commands else deadline_s
            if not self._has_ended(min(until_s, deadline_s)):
                self._kill()
            if self.commands and time.monotonic() >= deadline_s:
                logger.error("no time left for these commands, run them yourself: %s", self.commands)
                return

    def _start_next(self) -> bool:
        """Start the next command if none is running, and return whether one is running."""
        import subprocess

        while self._running is None and self.commands:
            command = self.commands.pop(0)
            logger.warning("the driver has died: running %s", command)
            self._began_s = time.monotonic()
            try:  # in its own session, so that it can be killed with all its processes
                self._running = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
            except OSError as error:
                logger.error("%s cannot be run: %s", command[0], error)
        return self._running is not None

    def _has_ended(self, deadline_s: float) -> bool:
        import subprocess

        process = self._running
        assert process is not None
        try:
            code = process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        self._running = None
        if code:
            logger.error("%s ended with code %d; jobs may be left", process.args, code)
        return True

    def _kill(self) -> None:
        process = self._running
        assert process is not None
        logger.error("%s took too long and was killed; jobs may be left", process.args)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass  # the command has just ended
        if not self._has_ended(time.monotonic() + KILLED_WITHIN_S):
            logger.error("%s cannot be killed and was left behind", process.args)
            self._running = None
