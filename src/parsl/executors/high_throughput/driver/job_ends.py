"""How the job of a block ended, in words."""

from __future__ import annotations

from typing import NamedTuple

from parsl.vocabulary.app_errors import meaning_of_exit
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.blocks.views import KnownJob

#: Characters of a job's stderr that are shown: its last ones.
_TAIL_CHARS = 1500

_WORDS = {
    JobState.TIMEOUT: "was ended at its walltime",
    JobState.CANCELLED: "was cancelled",
    JobState.SCALED_IN: "was given back",
    JobState.COMPLETED: "has ended by itself",
    JobState.FAILED: "has failed",
    JobState.MISSING: "is not known to the scheduler any more",
}
#: Ends that somebody or the scheduler has made: no doing of a task that ran there.
_FROM_OUTSIDE = frozenset({JobState.TIMEOUT, JobState.CANCELLED, JobState.SCALED_IN})


class JobEnd(NamedTuple):
    """How a job ended."""

    job_id: str
    state: JobState
    exit_code: int | None
    message: str | None
    #: The end of what it wrote to its standard error.
    log_tail: str

    @classmethod
    def of(cls, job: KnownJob) -> JobEnd:
        """How a job that is known to have ended did so."""
        status = job.status
        tail = (status.stderr_summary or "").strip()[-_TAIL_CHARS:]
        return cls(str(job.job_id), status.state, status.exit_code, status.message, tail)

    @property
    def is_from_outside(self) -> bool:
        """Whether it was ended: at its walltime, or by somebody."""
        return self.state in _FROM_OUTSIDE

    def __str__(self) -> str:
        text = f"Its job {self.job_id} {_WORDS.get(self.state, 'has ended')}"
        if self.exit_code is not None:
            text += f", exit code {self.exit_code}"
            # Negative ones are words of the scheduler's own.
            if self.exit_code > 0 and (meaning := meaning_of_exit(self.exit_code)):
                text += f" ({meaning})"
        if self.message:
            text += f": {self.message}"
        text = text.rstrip(".") + "."
        return f"{text} The end of its stderr:\n{self.log_tail}" if self.log_tail else text
