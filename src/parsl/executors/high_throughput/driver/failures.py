"""From failure records and the ends of jobs to the exceptions that users see."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost, WorkerOverMemory
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Failure
from parsl.failure_facts import attach
from parsl.vocabulary.app_errors import AppTimeout, meaning_of_exit
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.blocks.views import KnownJob

#: A task that ran for more than this part of a walltime would not complete in another block either.
MAX_OF_WALLTIME = 0.9
#: How many characters of a job's stderr are shown: its last ones.
_TAIL_CHARS = 1500

_WORDS = {
    JobState.TIMEOUT: "was ended at its walltime",
    JobState.CANCELLED: "was cancelled",
    JobState.SCALED_IN: "was scaled in",
    JobState.COMPLETED: "has ended by itself",
    JobState.FAILED: "has failed",
    JobState.MISSING: "is not known to the scheduler any more",
}
#: Ends that come from the scheduler or from a person: not the fault of a task that ran in the job.
_FROM_OUTSIDE = frozenset({JobState.TIMEOUT, JobState.CANCELLED, JobState.SCALED_IN})


class JobEnd(NamedTuple):
    """How a job ended."""

    job_id: str
    state: JobState
    exit_code: int | None
    message: str | None
    #: The end of its standard error.
    log_tail: str

    @classmethod
    def of(cls, job: KnownJob) -> JobEnd:
        """Describe the end of a job that is known to have ended."""
        status = job.status
        tail = (status.stderr_summary or "").strip()[-_TAIL_CHARS:]
        return cls(str(job.job_id), status.state, status.exit_code, status.message, tail)

    @property
    def is_from_outside(self) -> bool:
        """Whether the job was ended: at its walltime, or on request."""
        return self.state in _FROM_OUTSIDE

    def __str__(self) -> str:
        text = f"Its job {self.job_id} {_WORDS.get(self.state, 'has ended')}"
        if self.exit_code is not None:
            text += f", exit code {self.exit_code}"
            # Negative codes have meanings of the scheduler's own.
            if self.exit_code > 0 and (meaning := meaning_of_exit(self.exit_code)):
                text += f" ({meaning})"
        if self.message:
            text += f": {self.message}"
        text = text.rstrip(".") + "."
        return f"{text} The end of its stderr:\n{self.log_tail}" if self.log_tail else text


def exception_of(
    failure: Failure, end: JobEnd | None = None, walltime_s: float | None = None
) -> BaseException:
    """Return the exception for a task that the executor's machinery failed, with all known facts.

    Args:
        failure: Why the task failed.
        end: How the job that the task ran in ended, if known.
        walltime_s: How long a block may run, in seconds; None if unknown.
    """
    error = _exception_of(failure, end, walltime_s)
    attach(
        error,
        host=failure.host or None,
        block=failure.block or None,
        manager=failure.manager or None,
        worker=failure.worker,
        pid=failure.pid,
        exit_code=failure.exit_code if end is None else end.exit_code,
        signal=failure.signal,
        peak_memory=failure.peak_memory,
        ran_s=failure.ran_s,
        stderr_tail=failure.log_tail if end is None else end.log_tail,
    )
    return error


def _exception_of(failure: Failure, end: JobEnd | None, walltime_s: float | None) -> BaseException:
    if failure.kind == protocol.TIMED_OUT:
        return AppTimeout(failure.message)
    if failure.kind == protocol.CANCELLED:
        return CancelledError(failure.message)
    details = {
        "block": failure.block,
        "manager": failure.manager,
        "exit_code": failure.exit_code,
        "signal": failure.signal,
        "peak_memory": failure.peak_memory,
        "log_tail": failure.log_tail,
    }
    if failure.kind == protocol.MANAGER_LOST:
        return _manager_lost(failure, details, end, walltime_s)
    kind = WorkerOverMemory if failure.kind == protocol.OVER_MEMORY else WorkerLost
    return kind(failure.worker, failure.host, failure.message, **details)


def _manager_lost(
    failure: Failure, details: dict[str, Any], end: JobEnd | None, walltime_s: float | None
) -> ManagerLost:
    message = failure.message
    is_job_end = failure.is_job_end
    if end is not None:
        is_job_end = is_job_end or end.is_from_outside
        message = f"{message} {end}"
        details |= {"exit_code": end.exit_code, "log_tail": end.log_tail, "job_state": end.state.name}
    if is_job_end and walltime_s is not None and exceeds_walltime(failure, walltime_s):
        is_job_end = False
        message = (
            f"The task had been running for {failure.ran_s:.0f} s when its job ended, and a job of this "
            f"provider has {walltime_s:.0f} s: the task needs a longer walltime. {message}"
        )
    return ManagerLost(failure.manager, failure.host, message, **details, is_job_end=is_job_end)


def exceeds_walltime(failure: Failure, walltime_s: float | None) -> bool:
    """Return whether a task that was lost at the end of a job would be lost in the next job too."""
    return bool(walltime_s and failure.ran_s and failure.ran_s >= MAX_OF_WALLTIME * walltime_s)
