"""Submissions of which nobody knows whether they made a job."""

from __future__ import annotations

import logging
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.dialect import Dialect

logger = logging.getLogger(__name__)

#: A scheduler that does answer, but not this question, is asked so often: submitting has to go on.
MAX_USELESS_ANSWERS = 3


class LostJobs:
    """Remembers such submissions, and cancels the jobs that they have made after all.

    A submit command that is ended because it takes too long may have done its work. Whoever submits again
    would have one job more than anybody knows of: so first these are looked for, by their names, which are
    unique.
    """

    def __init__(self) -> None:
        #: How many useless answers there were, by name.
        self._names: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<LostJobs {len(self._names)} not found yet>"

    def add(self, name: str) -> None:
        """Note that nobody knows what became of the job with this name."""
        self._names[name] = 0

    def settle(
        self,
        dialect: Dialect,
        run: Callable[[list[str]], CommandResult],
        cancel: Callable[[Sequence[str]], Sequence[bool]],
    ) -> str | None:
        """Look for these jobs, and cancel those that there are.

        Args:
            dialect: How to ask.
            run: Runs a command.
            cancel: Cancels jobs, and says which of them the scheduler has accepted.

        Returns:
            Why it is still not known of all; None if it is.
        """
        for name in list(self._names):
            search = dialect.search(name)
            if search is not None:
                result = run(search.command)
                job_ids = search.read(result)
                if job_ids is None and not self._is_useless(dialect, name, result):
                    return f"{search.command[0]} does not say whether there is a job {name}"
                if job_ids and not all(cancel(job_ids)):
                    return f"the job {name} could not be cancelled"
                logger.warning("The submission of %s was given up; the jobs that it made: %s", name, job_ids)
            del self._names[name]
        return None

    def _is_useless(self, dialect: Dialect, name: str, result: CommandResult) -> bool:
        if not result.timed_out and not re.search(dialect.unreachable, result.stderr, re.IGNORECASE):
            self._names[name] += 1
        return self._names[name] >= MAX_USELESS_ANSWERS
