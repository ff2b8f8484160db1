"""The states of a batch job, and what is known about one job."""

from __future__ import annotations

import os
from enum import IntEnum

from parsl.vocabulary import publish

_ELISION = "\n...\n"


class JobState(IntEnum):
    """The state of a batch job, in terms that all schedulers share."""

    UNKNOWN = 0  #: no usable answer of the scheduler; never terminal
    PENDING = 1  #: queued
    RUNNING = 2
    CANCELLED = 3  #: ended on request
    COMPLETED = 4  #: ended by itself, with exit code 0 or an unknown one
    FAILED = 5
    TIMEOUT = 6  #: ended by the scheduler at its walltime
    HELD = 7  #: queued, and will not start until it is released
    MISSING = 8  #: unknown to the scheduler, and how it ended is unknown too
    SCALED_IN = 9  #: cancelled by the scaling strategy

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


#: States in which a job runs nothing any more.
TERMINAL_STATES = frozenset(JobState) - {JobState.UNKNOWN, JobState.PENDING, JobState.RUNNING, JobState.HELD}


class JobStatus:
    """What is known about one batch job.

    Args:
        state: The job's state.
        message: An explanation by the scheduler, or by Parsl.
        exit_code: The exit code of a job that has ended.
        stdout_path: The file of its standard output.
        stderr_path: The file of its standard error.
        can_never_run: Whether the scheduler reports that a HELD job can never run as submitted.
    """

    #: The summaries shorten output that is longer than this, in characters.
    SUMMARY_TRUNCATION_THRESHOLD = 2048

    def __init__(
        self,
        state: JobState,
        message: str | None = None,
        exit_code: int | None = None,
        stdout_path: str | None = None,
        stderr_path: str | None = None,
        can_never_run: bool = False,
    ) -> None:
        self.state = state
        self.message = message
        self.exit_code = exit_code
        self.stdout_path = stdout_path
        self.stderr_path = stderr_path
        self.can_never_run = can_never_run

    @property
    def terminal(self) -> bool:
        """Whether the job runs nothing any more."""
        return self.state in TERMINAL_STATES

    @property
    def status_name(self) -> str:
        """The name of the state, such as ``"RUNNING"``."""
        return self.state.name

    @property
    def stdout(self) -> str | None:
        """The job's whole standard output; None if it cannot be read."""
        return _read_all(self.stdout_path)

    @property
    def stderr(self) -> str | None:
        """The job's whole standard error; None if it cannot be read."""
        return _read_all(self.stderr_path)

    @property
    def stdout_summary(self) -> str | None:
        """The beginning and end of the job's standard output; None if it cannot be read."""
        return _read_ends(self.stdout_path, self.SUMMARY_TRUNCATION_THRESHOLD)

    @property
    def stderr_summary(self) -> str | None:
        """The beginning and end of the job's standard error; None if it cannot be read."""
        return _read_ends(self.stderr_path, self.SUMMARY_TRUNCATION_THRESHOLD)

    def __str__(self) -> str:
        details = f" ({self.message})" if self.message is not None else ""
        code = f" exit code {self.exit_code}" if self.exit_code is not None else ""
        return f"{self.state}{details}{code}"

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.state}, message={self.message!r}, exit_code={self.exit_code}, "
            f"stdout_path={self.stdout_path!r}, stderr_path={self.stderr_path!r}>"
        )


def _read_all(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with open(path, errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def _read_ends(path: str | None, limit: int) -> str | None:
    """Read about ``limit`` characters from both ends of a file, without reading the rest."""
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= limit:
                return stream.read(limit).decode(errors="replace")
            half = (limit - len(_ELISION)) // 2
            head = stream.read(half)
            stream.seek(-half, os.SEEK_END)
            tail = stream.read(half)
    except OSError:
        return None
    return head.decode(errors="replace") + _ELISION + tail.decode(errors="replace")


publish(globals(), "parsl.jobs.states")
