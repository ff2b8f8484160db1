"""What is different about one batch scheduler, as plain functions."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod

from parsl.providers.batch.refusal import RefusalRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import JobRecord, Question, Search


class Dialect(metaclass=ABCMeta):
    """How one scheduler is spoken to. It keeps no state, and does nothing: it makes and reads text."""

    #: What the commands write, as a regular expression, when they find no scheduler.
    unreachable: str
    #: What the cancel command writes about a job that has gone already; its group ``id`` is the job.
    gone: str
    #: Which refusals are for good.
    refusals: RefusalRules = RefusalRules()
    #: What ends the name of the file that is submitted.
    submit_suffix: str = ".sh"
    #: How many jobs to ask about, or to cancel, with one command.
    batch_size: int = 500
    #: About how many jobs the history can be asked with one command.
    history_batch_size: int = 500
    #: How long the scheduler may know nothing of a job that it did take, in seconds: while it is fresh, or
    #: has just ended.
    forgetful_s: float = 0.0

    @abstractmethod
    def submit_command(self, path: str) -> list[str]:
        """Return the command that submits the file at ``path``."""

    def submit_stdin(self, text: str) -> str | None:
        """Return what the submit command reads from its standard input, given the file's text."""
        return None

    @abstractmethod
    def read_job_id(self, stdout: str) -> str | None:
        """Find the id of the new job in what the submit command wrote; None if there is none."""

    @abstractmethod
    def questions(self) -> Sequence[Question]:
        """Return the forms of asking about jobs, the best one first."""

    def history_question(self) -> Question | None:
        """Return how to ask about jobs that the scheduler does not list any more; only for how they ended."""
        return None

    def single_question(self) -> Question | None:
        """Return how to ask whether there is a certain job, if not as about many."""
        return None

    def detail_question(self) -> Question | None:
        """Return how to ask for more about one job."""
        return None

    def wants_detail(self, record: JobRecord) -> bool:
        """Whether to ask for more about a job."""
        return False

    def doubt_question(self) -> Question | None:
        """Return how to ask which of the jobs that wait can never run; None if the listing says so."""
        return None

    def search(self, name: str) -> Search | None:
        """Return how to look for jobs of this name that have not ended; None if nobody can."""
        return None

    @abstractmethod
    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        """Return the command that cancels jobs."""

    def short_id(self, job_id: str) -> str:
        """Return the form of a job's id that all its other forms have in common."""
        return job_id.strip()

    def read_cancellation(self, job_ids: Sequence[str], result: CommandResult) -> list[bool]:
        """Say which jobs are being cancelled, or have gone already."""
        if result.timed_out:
            return [False] * len(job_ids)
        if result.exit_code == 0:
            return [True] * len(job_ids)
        gone, others = self._read_gone(f"{result.stdout}\n{result.stderr}")
        if gone and not others:  # it complains about these only: the others it has cancelled
            return [True] * len(job_ids)
        return [self.short_id(job_id) in gone for job_id in job_ids]

    def _read_gone(self, words: str) -> tuple[set[str], list[str]]:
        gone, others = set(), []
        for line in words.splitlines():
            if match := re.search(self.gone, line):
                gone.add(self.short_id(match["id"]))
            elif line.strip():
                others.append(line)
        return gone, others
