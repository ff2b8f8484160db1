"""Errors about batch jobs."""

from __future__ import annotations

from parsl.errors import ParslError
from parsl.vocabulary import publish


class TooManyJobFailuresError(ParslError):
    """So many of an executor's blocks have failed that it has stopped trying."""


class JobsNeverRunError(ParslError):
    """The scheduler has taken an executor's blocks, and says that they can never run."""


publish(globals(), "parsl.jobs.errors")
