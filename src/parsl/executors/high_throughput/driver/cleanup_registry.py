"""The commands that the interchange runs if the driver is killed: they cancel the driver's jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from parsl.executors.blocks.block_set import BlockListener, BlockSet
from parsl.executors.high_throughput.driver.connection import Connection
from parsl.executors.high_throughput.wire.protocol import CleanupCommands
from parsl.providers.base import ExecutionProvider

logger = logging.getLogger(__name__)

#: The minimum time between two transmissions of all commands, in seconds for each job: a list of thousands of
#: jobs must not be sent for every single change.
_PAUSE_FOR_EACH_JOB_S = 0.001


class CleanupRegistry(BlockListener):
    """Keeps the interchange's cleanup commands up to date. May be called from any thread.

    The command for a new job is sent immediately, by itself. From time to time all commands are sent, which
    omits jobs that have ended, and moves those that have begun after those that are queued. The commands for
    the whole run are sent before there is a job, and are always the last ones. No command is sent twice.
    """

    def __init__(
        self,
        label: str,
        blocks: BlockSet,
        provider: ExecutionProvider,
        sender: Connection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._blocks = blocks
        self._provider = provider
        self._sender = sender
        self._clock = clock
        self._lock = threading.Lock()
        self._run_commands: list[list[str]] = []
        #: The current commands, the most urgent first.
        self.commands: list[list[str]] = []
        #: The jobs for which all commands were sent last; None if there have been others since.
        self._sent_jobs: list[object] | None = []
        self._due_s = float("-inf")

    def __repr__(self) -> str:
        return f"<CleanupRegistry {self._label} commands={len(self.commands)}>"

    def start(self) -> None:
        """Send the commands for the whole run; call this once the provider is prepared."""
        with self._lock:
            if commands := self._from_provider(self._provider.cleanup_commands):
                self.commands = self._run_commands = commands
                self._sender.send(CleanupCommands(commands))

    def job_submitted(self, job_id: object) -> None:
        with self._lock:
            self._sent_jobs = None
            known = self.commands
            if commands := [one for one in self._commands([job_id]) if one not in known]:
                self.commands = commands + self.commands
                self._sender.send(CleanupCommands(commands, is_addition=True))

    def blocks_polled(self) -> None:
        """Send all commands again if jobs have begun or ended, unless they have just been sent."""
        with self._lock:
            if self._clock() < self._due_s or (jobs := self._blocks.jobs_to_cancel()) == self._sent_jobs:
                return
            self._due_s = self._clock() + len(jobs) * _PAUSE_FOR_EACH_JOB_S
            self._sent_jobs = jobs
            commands = [one for one in self._commands(jobs) if one not in self._run_commands]
            commands += self._run_commands
            if commands != self.commands:
                self.commands = commands
                self._sender.send(CleanupCommands(commands))

    def jobs_cancelled(self) -> None:
        """Take all commands back: this process has cancelled its jobs itself. Report those that are left."""
        if left := self._blocks.uncancelled_jobs():
            logger.error(
                "Executor %s: the scheduler has not accepted the cancellation of jobs %s. "
                "Cancel them yourself.", self._label, left,
            )  # fmt: skip
        with self._lock:
            if self.commands:
                self.commands = []
                self._sender.send(CleanupCommands([]))

    def _commands(self, jobs: list[object]) -> list[list[str]]:
        return self._from_provider(lambda: self._provider.cancel_commands(jobs))

    def _from_provider(self, commands: Callable[[], list[list[str]]]) -> list[list[str]]:
        try:
            return commands()
        except Exception:  # in the provider of a user
            logger.exception("Executor %s: if this process dies, its jobs will not be cancelled", self._label)
            return []
