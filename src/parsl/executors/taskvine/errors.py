"""Errors of the TaskVineExecutor.

::

    ParslError
    ├── TaskVineManagerFailure  TaskVine cannot start, or its manager process was lost
    ├── TaskVineFactoryFailure  the factory of workers cannot start, or was lost
    └── AppException
        └── TaskVineTaskFailure     TaskVine has failed a task
"""

from __future__ import annotations

from parsl.errors import ParslError
from parsl.vocabulary.app_errors import AppException


class TaskVineManagerFailure(ParslError):
    """TaskVine cannot start, or its manager process was lost."""


class TaskVineFactoryFailure(ParslError):
    """The factory that starts workers cannot start, or was lost."""


class TaskVineTaskFailure(AppException):
    """TaskVine has failed a task.

    Args:
        reason: Why, in words.
        status: The exit status of the task's process.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return self.reason
