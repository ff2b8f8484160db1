"""Errors about the graph of tasks."""

from __future__ import annotations

from parsl.errors import ParslError, ReasonError
from parsl.vocabulary import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Failures = Sequence[tuple[BaseException, str]]

#: The message on a longer chain of failures names this many tasks at the near end, and next to the root.
_NAMED_NEAR = 3
_NAMED_FAR = 2

_ROOT_MESSAGE_CHARS = 2000
_DESCRIPTION_CHARS = 200


class DataFlowException(ParslError):
    """Base of the errors about the graph of tasks."""


class BadCheckpoint(ReasonError, DataFlowException):
    """A checkpoint cannot be loaded.

    Args:
        reason: The reason.
    """


class PropagatedException(DataFlowException):
    """A task failed only because other tasks did.

    The message names the root cause: the first exception that is not itself propagated, and the task that
    raised it. Creating and printing this exception takes the same short time for any length of the chain.

    Args:
        dependent_exceptions_tids: The exception and the description (such as ``"task 3"``) of each task that
            failed.
        task_id: The task that fails with this exception.
        failure_description: The kind of failure, which begins the message.

    Attributes:
        root_cause: The exception at the far end of the chain; also the ``__cause__``.
        root_description: The task that raised the root cause.
        depth: The number of tasks that failed in the chain, including the one that raised the root cause.
    """

    def __init__(
        self, dependent_exceptions_tids: Failures, task_id: int, *, failure_description: str
    ) -> None:
        super().__init__(dependent_exceptions_tids, task_id)
        self.dependent_exceptions_tids = dependent_exceptions_tids
        self.task_id = task_id
        self._failure_description = failure_description
        self.root_cause: BaseException | None = None
        self.root_description = ""
        self.depth = 0
        self._near: tuple[str, ...] = ()
        self._far: tuple[str, ...] = ()
        if dependent_exceptions_tids:
            self._trace(*dependent_exceptions_tids[0])

    def _trace(self, cause: BaseException, description: str) -> None:
        """Extend the chain of the nearest failure by one link."""
        others = " (+ others)" if len(self.dependent_exceptions_tids) > 1 else ""
        link = shortened(description, _DESCRIPTION_CHARS) + others
        if isinstance(cause, PropagatedException) and cause.root_cause is not None:
            self.root_cause, self.root_description = cause.root_cause, cause.root_description
            self.depth = cause.depth + 1
            self._near = (link, *cause._near)[:_NAMED_NEAR]
            self._far = cause._far if len(cause._far) == _NAMED_FAR else (link, *cause._far)
        else:
            self.root_cause, self.root_description = cause, description
            self.depth = 1
            self._near = self._far = (link,)
        # The nearest exception would only repeat the path, and a chain may have 100,000 links.
        self.__cause__ = self.root_cause

    def __str__(self) -> str:
        opening = f"{self._failure_description} for task {self.task_id}."
        if self.root_cause is None:
            return opening
        text = text_of(self.root_cause) or "(no message)"
        root = shortened(f"{type(self.root_cause).__name__}: {text}", _ROOT_MESSAGE_CHARS)
        return f"{opening} The representative cause is via {self._path()}, which raised {root}"

    def _path(self) -> str:
        named = min(self.depth, _NAMED_NEAR)
        hidden = self.depth - named - _NAMED_FAR
        far = self._far[-(self.depth - named) :] if self.depth > named else ()
        gap = (f"... {hidden} more ...",) if hidden > 0 else ()
        return " <- ".join((*self._near, *gap, *far))

    def __reduce__(self) -> tuple[Any, ...]:
        failures = list(self.dependent_exceptions_tids)
        return _rebuild, (type(self), failures, self.task_id, self._failure_description)


class DependencyError(PropagatedException):
    """A task was not run, because a dependency failed.

    Args:
        dependent_exceptions_tids: The exception and the description of each dependency that failed.
        task_id: The task that was not run.
    """

    def __init__(self, dependent_exceptions_tids: Failures, task_id: int) -> None:
        super().__init__(dependent_exceptions_tids, task_id, failure_description="Dependency failure")


class JoinError(PropagatedException):
    """A join app failed, because a future that it returned did.

    Args:
        dependent_exceptions_tids: The exception and the description of each future that failed.
        task_id: The join app's task.
    """

    def __init__(self, dependent_exceptions_tids: Failures, task_id: int) -> None:
        super().__init__(dependent_exceptions_tids, task_id, failure_description="Join failure")


def _rebuild(
    kind: type[PropagatedException], failures: Any, task_id: int, description: str
) -> PropagatedException:
    error = kind.__new__(kind)
    PropagatedException.__init__(error, failures, task_id, failure_description=description)
    return error


def text_of(error: BaseException) -> str:
    """Return the message of any exception, even one whose ``str`` fails."""
    try:
        return str(error)
    except Exception as unprintable:
        return f"(its message cannot be shown: {type(unprintable).__name__})"


def shortened(text: str, limit_chars: int) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= limit_chars else text[:limit_chars] + "..."


publish(globals(), "parsl.dataflow.errors")
