"""Errors of executors.

::

    ParslError
    ├── ExecutorError                       an executor cannot do its work
    │   ├── BadStateException               it has failed for good, and its tasks with it
    │   ├── InvalidResourceSpecification    a task requests resources that it does not know
    │   ├── ScalingFailed                   it could not start a block
    │   └── UnsupportedFeatureError         a task needs a feature of another executor
    ├── ThreadLost                          one of Parsl's threads in the driver has failed
    └── BadMessage                          an invalid message was received
"""

from __future__ import annotations

from parsl.errors import ParslError, ReasonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class ExecutorError(ParslError):
    """An executor has failed.

    Args:
        executor: The executor. Pickling replaces it by its label.
        reason: What went wrong.
    """

    def __init__(self, executor: Any, reason: str) -> None:
        super().__init__(executor, reason)
        self.executor = executor
        self.reason = reason

    def __str__(self) -> str:
        return f"Executor {_label(self.executor)} failed due to: {self.reason}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The executor owns threads and sockets, which cannot be pickled.
        return type(self), (_label(self.executor), self.reason)


class BadStateException(ExecutorError):
    """An executor has failed for good; every task it held fails with this.

    Args:
        executor: The executor.
        exception: Why it failed: an exception, or a text.
    """

    def __init__(self, executor: Any, exception: BaseException | str) -> None:
        super().__init__(executor, str(exception) or repr(exception))
        self.exception = exception
        if isinstance(exception, BaseException):
            self.__cause__ = exception


class ScalingFailed(ExecutorError):
    """An executor could not start a block."""

    def __str__(self) -> str:
        return f"Executor {_label(self.executor)} failed to scale due to: {self.reason}"


class UnsupportedFeatureError(ExecutorError):
    """A task needs a feature that only another executor has.

    Args:
        feature: The feature.
        current_executor: The name of the executor that does not have it.
        target_executor: The name of an executor that has it.
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
        return type(self), self.args


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
        # Upstream's words, but sorted: programs compare them.
        keys = ", ".join(repr(key) for key in sorted(self.invalid_keys, key=str))
        return f"Invalid Resource Specification Supplied: {{{keys}}}. {self.message}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


class ThreadLost(ParslError):
    """One of Parsl's threads in the driver has failed, and with it what depends on it.

    Args:
        thread: The thread's name.
        duty: What it did: "reads results".
        error: Why it failed: an exception, which becomes the cause of this one, or a text.
    """

    def __init__(self, thread: str, duty: str, error: BaseException | str) -> None:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
        super().__init__(thread, duty, reason)
        self.thread = thread
        self.duty = duty
        self.reason = reason
        if isinstance(error, BaseException):
            self.__cause__ = error

    def __str__(self) -> str:
        return (
            f"The driver's thread {self.thread!r}, which {self.duty}, has failed with {self.reason}. The "
            "task did not cause this: please report it, with the traceback in the run's log."
        )


class BadMessage(ReasonError):
    """An invalid message was received.

    Args:
        reason: What is wrong with it.
    """

    message = "Received an unsupported message: {}"


def _label(executor: Any) -> str:
    return executor if isinstance(executor, str) else str(getattr(executor, "label", type(executor).__name__))
