"""The differences between batch schedulers, as functions that make commands and read their output."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

from parsl.common.commands import CommandResult
from parsl.providers.batch.answers import JobRecord, StatusQuery


class Dialect(metaclass=ABCMeta):
    """The commands of one scheduler. A dialect keeps no state and runs nothing."""

    #: The programs, with their options, that submit a file and that cancel jobs.
    submit_program: tuple[str, ...]
    cancel_program: tuple[str, ...]
    #: A regular expression for what the cancel command writes about a job that has ended; its group ``id``
    #: is the job.
    gone: str
    #: Regular expressions for refusals that may pass. They take precedence over permanent ones: a refusal
    #: of unknown kind may pass, and the executor that counts failures gives up in the end.
    transient_refusals: tuple[str, ...] = ()
    #: Regular expressions for refusals that every attempt would meet.
    permanent_refusals: tuple[str, ...] = ()
    #: Exit codes of the submit command for permanent refusals.
    permanent_exit_codes: frozenset[int] = frozenset()
    #: The suffix of the file that is submitted.
    submit_suffix: str = ".sh"
    #: How many jobs to query, or to cancel, with one command.
    batch_size: int = 500
    #: How many jobs to query with one command of the history.
    history_batch_size: int = 500
    #: How long the scheduler may not know a job that has just been submitted or has just ended, in seconds.
    forgetful_s: float = 0.0

    #: The forms of querying jobs, the best one first.
    status_queries: Sequence[StatusQuery]
    #: Queries how jobs ended that the scheduler does not list any more.
    history_query: StatusQuery | None = None
    #: Queries whether a single job exists, if the first of the status queries does not.
    existence_query: StatusQuery | None = None
    #: Queries further information about a single job; see :meth:`needs_detail`.
    detail_query: StatusQuery | None = None
    #: Queries which pending jobs can never run; None if the status queries report that.
    feasibility_query: StatusQuery | None = None

    def submit_command(self, path: str) -> list[str]:
        return [*self.submit_program, path]

    def submit_stdin(self, text: str) -> str | None:
        """Return the standard input of the submit command, given the text of the submitted file."""
        return None

    @property
    def unreachable(self) -> str:
        """A regular expression for what the commands write when they cannot reach the scheduler."""
        return self.status_queries[0].unreachable

    @abstractmethod
    def read_job_id(self, stdout: str) -> str | None:
        """Return the id of the new job from the output of the submit command; None if there is none."""

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return [*self.cancel_program, *job_ids]

    def needs_detail(self, record: JobRecord) -> bool:
        return False

    @abstractmethod
    def find_command(self, name: str) -> list[str]:
        """Return the command that finds unfinished jobs by name."""

    @abstractmethod
    def read_found(self, name: str, result: CommandResult) -> list[str] | None:
        """Return the ids of the jobs found by :meth:`find_command`; None if the result is not an answer."""

    def short_id(self, job_id: str) -> str:
        """Return the part of a job's id that all forms of the id share."""
        return job_id.strip()

    def is_permanent_refusal(self, result: CommandResult) -> bool:
        """Return whether the scheduler would refuse the same submission at any time."""
        if result.timed_out:
            return False
        words = f"{result.stderr}\n{result.stdout}"
        if _any_matches((self.unreachable, *self.transient_refusals), words):
            return False
        return _any_matches(self.permanent_refusals, words) or result.exit_code in self.permanent_exit_codes

    def read_cancellation(self, job_ids: Sequence[str], result: CommandResult) -> list[bool]:
        """Return, for each job, whether the job is being cancelled or has ended."""
        if result.timed_out:
            return [False] * len(job_ids)
        if result.exit_code == 0:
            return [True] * len(job_ids)
        gone, others = set(), []
        for line in f"{result.stdout}\n{result.stderr}".splitlines():
            if match := re.search(self.gone, line):
                gone.add(self.short_id(match["id"]))
            elif line.strip():
                others.append(line)
        if gone and not others:  # the command complains only about ended jobs: it has cancelled the others
            return [True] * len(job_ids)
        return [self.short_id(job_id) in gone for job_id in job_ids]


def _any_matches(patterns: tuple[str, ...], words: str) -> bool:
    return any(re.search(pattern, words, re.IGNORECASE) for pattern in patterns)
