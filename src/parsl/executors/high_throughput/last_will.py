"""What the interchange does for a driver that is dead: it has the scheduler cancel the driver's jobs.

The driver does so itself whenever it gets to it. One that is killed does not, and jobs of its that wait in a
queue would begin some day, for nobody.
"""

from __future__ import annotations

import logging
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

logger = logging.getLogger("parsl.htex.interchange")

#: How long the scheduler's commands may take, in seconds; and how long managers are left alone meanwhile:
#: when they end, nodes get free, on which jobs begin that are still in the queue.
PATIENCE_S = 60.0
HEAD_START_S = 5.0


class LastWill:
    """Owned by the interchange's loop."""

    def __init__(self) -> None:
        #: Programs with their arguments, as the driver has said last.
        self.commands: list[list[str]] = []
        self._running: list[Popen[bytes]] = []

    def __repr__(self) -> str:
        return f"<LastWill commands={len(self.commands)} running={len(self._running)}>"

    def take(self, commands: list[list[str]], is_addition: bool) -> None:
        """Note what the driver says: that instead of what it has said before, or that first of all."""
        self.commands = commands + self.commands if is_addition else commands

    def begin(self) -> None:
        """Start the commands, and give them some time. Their output goes where the interchange's own goes."""
        import subprocess

        for command in self.commands:
            logger.warning("the driver has died: %s", command)
            try:
                self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            except OSError as error:
                logger.error("%s cannot be run: %s", command[0], error)
        deadline_s = time.monotonic() + HEAD_START_S
        for process in self._running:
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                return

    def finish(self) -> None:
        """Wait for their ends, and kill those that take too long."""
        import subprocess

        deadline_s = time.monotonic() + PATIENCE_S
        for process in self._running:
            try:
                code = process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("%s does not end: killed", process.args)
                process.kill()
                code = process.wait()
            if code:
                logger.error("%s has ended with code %d; jobs may be left", process.args, code)
