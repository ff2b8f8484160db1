"""Errors about batch jobs."""

from __future__ import annotations

from parsl.errors import ParslError
from parsl.vocabulary import publish


class TooManyJobFailuresError(ParslError):
    """Too many of an executor's blocks have failed, and it has given up."""


class JobsNeverRunError(ParslError):
    """The scheduler has accepted an executor's blocks, and reports that they can never run."""


publish(globals(), "parsl.jobs.errors")
