"""Submissions that may have made a job although their result is unknown."""

from __future__ import annotations

import logging
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.common.commands import CommandResult
    from parsl.providers.batch.scheduler import Scheduler

logger = logging.getLogger(__name__)

#: After how many unusable answers from a scheduler that does answer a submission is forgotten, so that
#: further submissions are possible.
MAX_USELESS_ANSWERS = 3


class LostSubmissions:
    """Remembers submissions of unknown result, and cancels the jobs that they have made.

    A submit command that is killed because it takes too long may already have submitted its job. If the
    provider submitted again, one job too many would run. So the provider first finds such jobs by their
    names, which are unique, and cancels them.
    """

    def __init__(self) -> None:
        #: The number of useless answers by job name.
        self._names: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<LostSubmissions {len(self._names)} unresolved>"

    def add(self, name: str) -> None:
        """Remember the submission of the job with this name."""
        self._names[name] = 0

    def resolve(self, scheduler: Scheduler) -> str | None:
        """Find the jobs of the lost submissions, and cancel them.

        Returns:
            Why a submission is still unresolved; None if all are resolved.
        """
        from parsl.common.commands import CommandNotStarted

        for name in list(self._names):
            try:
                problem = self._resolve(scheduler, name)
            except CommandNotStarted as error:
                return str(error)
            if problem is not None:
                return problem
            del self._names[name]
        return None

    def _resolve(self, scheduler: Scheduler, name: str) -> str | None:
        command = scheduler.dialect.find_command(name)
        if command is None:
            return None
        result = scheduler.run(command)
        job_ids = scheduler.dialect.read_found(name, result)
        if job_ids is None and not self._is_useless(scheduler.dialect.unreachable, name, result):
            return f"{command[0]} does not show whether there is a job {name}"
        if job_ids and not all(scheduler.cancel(job_ids)):
            return f"the job {name} could not be cancelled"
        logger.warning("The result of submitting %s was lost; the jobs it had made: %s", name, job_ids)
        return None

    def _is_useless(self, unreachable: str, name: str, result: CommandResult) -> bool:
        if not result.timed_out and not re.search(unreachable, result.stderr, re.IGNORECASE):
            self._names[name] += 1
        return self._names[name] >= MAX_USELESS_ANSWERS
