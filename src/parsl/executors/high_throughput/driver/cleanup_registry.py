"""What the driver has the interchange do should it be killed: cancel the jobs that there are then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Heir(Protocol):
        """Who is told."""

        def leave_will(self, commands: list[list[str]]) -> None: ...

        def add_to_will(self, commands: list[list[str]]) -> None: ...


logger = logging.getLogger(__name__)

#: For each job that there is, the whole will waits so long until it is sent again, in seconds: all of it with
#: each of many jobs would be work without end.
_PAUSE_FOR_EACH_JOB_S = 0.001


class CleanupRegistry:
    """Keeps the will up to date. May be called from any thread.

    A new job is told of at once, by itself. What may wait is told from time to time, with all that there is:
    which jobs have ended, and which have begun and are to be cancelled after those that wait.

    Args:
        label: The executor's.
        cancel_commands: Gives commands that cancel jobs; the provider's.
        told: Who is told.
        clock: Gives the time, in seconds.
    """

    def __init__(
        self,
        label: str,
        cancel_commands: Callable[[Sequence[object]], list[list[str]]],
        told: Heir,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._cancel_commands = cancel_commands
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        #: The jobs of the last whole will; None when there have been others since.
        self._whole: list[object] | None = []
        self._due_s = float("-inf")

    def __repr__(self) -> str:
        return f"<CleanupRegistry {self._label} whole={self._whole is not None}>"

    def add(self, job_id: object) -> None:
        """There is one more job."""
        with self._lock:
            self._whole = None
            if commands := self._commands([job_id]):
                self._told.add_to_will(commands)

    def renew(self, jobs_to_cancel: Callable[[], list[object]]) -> None:
        """Jobs may have begun or ended.

        Args:
            jobs_to_cancel: Gives all jobs, in the order in which they are to be cancelled; not called when
                the will has been sent just now.
        """
        with self._lock:
            if self._clock() < self._due_s or (jobs := jobs_to_cancel()) == self._whole:
                return
            self._due_s = self._clock() + len(jobs) * _PAUSE_FOR_EACH_JOB_S
            self._whole = jobs
            self._told.leave_will(self._commands(jobs))

    def _commands(self, jobs: list[object]) -> list[list[str]]:
        try:
            return self._cancel_commands(jobs)
        except Exception:  # of a provider of the user's
            logger.exception("Executor %s: should this process die, its jobs are not cancelled", self._label)
            return []
