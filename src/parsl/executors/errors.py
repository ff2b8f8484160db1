"""Errors of executors.

::

    ParslError
    ├── ExecutorError                       an executor cannot do what it is there for
    │   ├── BadStateException               it has failed for good, and its tasks with it
    │   ├── InvalidResourceSpecification    a task asks for resources in words it does not know
    │   ├── ScalingFailed                   it could not start a block
    │   └── UnsupportedFeatureError         another executor can do this, it cannot
    ├── ThreadLost                          a thread of this library's own has ended on an error
    └── BadMessage                          something was received that makes no sense
"""

from __future__ import annotations

from parsl.errors import ParslError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class ExecutorError(ParslError):
    """An executor has failed.

    Args:
        executor: The executor. After pickling, its label stands in its place.
        reason: What went wrong.
    """

    def __init__(self, executor: Any, reason: str) -> None:
        super().__init__(executor, reason)
        self.executor = executor
        self.reason = reason

    def __str__(self) -> str:
        return f"Executor {_label(self.executor)} failed due to: {self.reason}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The executor owns threads and sockets: it stays where it is, only its name travels.
        return type(self), (_label(self.executor), self.reason)


class BadStateException(ExecutorError):
    """An executor has failed for good; every task it held fails with this.

    Args:
        executor: The executor.
        exception: Why it failed; an exception, or a text.
    """

    def __init__(self, executor: Any, exception: BaseException | str) -> None:
        super().__init__(executor, str(exception) or repr(exception))
        self.exception = exception
        if isinstance(exception, BaseException):
            self.__cause__ = exception

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (_label(self.executor), self.reason)


class ScalingFailed(ExecutorError):
    """An executor could not start a block."""

    def __str__(self) -> str:
        return f"Executor {_label(self.executor)} failed to scale due to: {self.reason}"


class UnsupportedFeatureError(ExecutorError):
    """A task asks an executor for something that only another one can do.

    Args:
        feature: What was asked for.
        current_executor: The name of the one that was asked.
        target_executor: The name of one that can do it.
    """

    def __init__(self, feature: str, current_executor: str, target_executor: str) -> None:
        ParslError.__init__(self, feature, current_executor, target_executor)
        self.feature = feature
        self.current_executor = current_executor
        self.target_executor = target_executor

    def __str__(self) -> str:
        return (
            f"The {self.feature} feature is not supported by {self.current_executor}; "
            f"use {self.target_executor} for it."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.feature, self.current_executor, self.target_executor)


class InvalidResourceSpecification(ExecutorError):
    """A task's resource specification has wrong keys or values.

    Args:
        invalid_keys: The keys that are wrong.
        message: What is wrong with them, and what is allowed.
    """

    def __init__(self, invalid_keys: Iterable[str], message: str = "") -> None:
        keys = set(invalid_keys)
        ParslError.__init__(self, keys, message)
        self.invalid_keys = keys
        self.message = message

    def __str__(self) -> str:
        keys = ", ".join(repr(key) for key in sorted(self.invalid_keys, key=str))
        return f"Invalid resource specification: {keys or 'it is empty'}. {self.message}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.invalid_keys, self.message)


class ThreadLost(ParslError):
    """A thread of this library's own, in the driver, has ended on an error; what depended on it fails.

    Args:
        thread: The thread's name.
        duty: What it did: "reads results".
        error: What it ended on; an exception, or a text. It becomes the cause of this one.
    """

    def __init__(self, thread: str, duty: str, error: BaseException | str) -> None:
        said = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
        super().__init__(thread, duty, said)
        self.thread = thread
        self.duty = duty
        self.reason = said
        if isinstance(error, BaseException):
            self.__cause__ = error

    def __str__(self) -> str:
        return (
            f"The driver's thread {self.thread!r}, which {self.duty}, has ended on {self.reason}. That is "
            "not the task's doing: please report it, with the traceback in the run's log."
        )


class BadMessage(ParslError):
    """A message was received that makes no sense.

    Args:
        reason: What is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Received an unsupported message: {self.reason}"


def _label(executor: Any) -> str:
    return executor if isinstance(executor, str) else str(getattr(executor, "label", type(executor).__name__))
