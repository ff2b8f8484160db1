"""Errors of the WorkQueueExecutor.

::

    ParslError
    ├── WorkQueueFailure        Work Queue cannot start, or its manager process was lost
    └── AppException
        └── WorkQueueTaskFailure    Work Queue has failed a task
"""

from __future__ import annotations

from parsl.errors import ParslError
from parsl.vocabulary.app_errors import AppException


class WorkQueueFailure(ParslError):
    """Work Queue cannot start, or its manager process was lost."""


class WorkQueueTaskFailure(AppException):
    """Work Queue has failed a task.

    Args:
        reason: Why, in words.
        status: What Work Queue reports: an error, or the name of its result; None if that is not known.
    """

    def __init__(self, reason: str, status: Exception | str | None) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return self.reason
