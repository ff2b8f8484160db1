"""What the interchange does for a driver that is dead: it has the scheduler cancel the driver's jobs.

The driver does so itself whenever it gets to it. One that is killed does not, and jobs of its that wait in a
queue would begin some day, for nobody.
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

#: How long managers are left alone meanwhile, in seconds: when they end, nodes get free, on which jobs begin
#: that are still in the queue.
HEAD_START_S = 5.0
#: How long each of the scheduler's commands may take, and all of them, in seconds.
PATIENCE_S = 60.0
PATIENCE_IN_ALL_S = 600.0
#: How long one that was killed has to be gone, in seconds; one that waits for a dead file system stays.
KILLED_WITHIN_S = 1.0


class CleanupRunner:
    """Owned by the interchange's loop. Commands are run one after the other, in their order."""

    def __init__(self) -> None:
        #: Programs with their arguments, those that are most urgent first.
        self.commands: list[list[str]] = []
        self._running: Popen[bytes] | None = None
        self._began_s = 0.0

    def __repr__(self) -> str:
        return f"<CleanupRunner commands={len(self.commands)} running={self._running is not None}>"

    def take(self, commands: list[list[str]], is_addition: bool) -> None:
        """Note what the driver says: that instead of what it has said before, or that first of all."""
        self.commands = commands + self.commands if is_addition else commands

    def begin(self) -> None:
        """Run as many commands as there is time for. Their output goes where the interchange's own goes."""
        deadline_s = time.monotonic() + HEAD_START_S
        while self._start_next():
            if not self._has_ended(deadline_s):
                return

    def finish(self) -> None:
        """Run the others, and kill those that take too long."""
        deadline_s = time.monotonic() + PATIENCE_IN_ALL_S
        while self._start_next():
            if not self._has_ended(min(self._began_s + PATIENCE_S, deadline_s)):
                self._kill()
            if self.commands and time.monotonic() >= deadline_s:
                logger.error("no more time: jobs are left, cancel them: %s", self.commands)
                return

    def _start_next(self) -> bool:
        """Start the next command if none is running. Returns: whether one is."""
        import subprocess

        while self._running is None and self.commands:
            command = self.commands.pop(0)
            logger.warning("the driver has died: %s", command)
            self._began_s = time.monotonic()
            try:  # in a session of its own, so that it can be killed with all that it has started
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
            logger.error("%s has ended with code %d; jobs may be left", process.args, code)
        return True

    def _kill(self) -> None:
        """End a command with all that it has started."""
        process = self._running
        assert process is not None
        logger.error("%s does not end: killed; jobs may be left", process.args)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass  # it has just ended
        if not self._has_ended(time.monotonic() + KILLED_WITHIN_S):
            logger.error("%s cannot be killed: left behind", process.args)
            self._running = None
