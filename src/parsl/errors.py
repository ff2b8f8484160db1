"""The base of all errors, and the errors that belong to no particular part of Parsl.

::

    Exception
    └── ParslError
        ├── ConfigurationError            a setting, or a combination of settings, is wrong
        │   └── ParameterError            (parsl.validate) one parameter is wrong
        │       ├── ParameterTypeError        ... of the wrong type; also a TypeError
        │       ├── ParameterValueError       ... out of range; also a ValueError
        │       └── UnknownParameterError     (parsl.common.parameter_names) no such name; also a TypeError
        ├── InternalConsistencyError      a bug in Parsl
        ├── NoDataFlowKernelError         no configuration is loaded
        ├── AttemptError                  an attempt of a task was ended from outside
        │   ├── AppTimeout                    (parsl.vocabulary.app_errors)
        │   └── ManagerLost, WorkerLost       (parsl.executors.high_throughput.errors)
        ├── OptionalModuleMissing         a feature needs packages that are not installed
        ├── ReasonError                   base of errors that consist of a reason
        ├── AppException                  (parsl.vocabulary.app_errors) a task failed
        │   ├── AppTimeout
        │   ├── BashAppNoReturn
        │   └── BashExitFailure
        ├── AppBadFormatting, BadStdStreamFile, MissingOutputs      (parsl.vocabulary.app_errors)
        ├── DataFlowException             (parsl.vocabulary.dataflow_errors)
        │   ├── BadCheckpoint
        │   └── PropagatedException       another task's failure
        │       ├── DependencyError
        │       └── JoinError
        ├── ExecutorError                 (parsl.executors.errors)
        │   ├── BadStateException, InvalidResourceSpecification
        │   └── ScalingFailed, UnsupportedFeatureError
        ├── BadMessage                    (parsl.executors.errors)
        ├── ExecutionProviderException    (parsl.vocabulary.provider_errors)
        │   ├── ScaleOutFailed, SchedulerMissingArgs
        │   ├── ScriptPathError, SubmitException
        │   └── BadLauncher               (parsl.launchers.errors) also a TypeError
        └── JobsNeverRunError, TooManyJobFailuresError      (parsl.vocabulary.provider_errors)
"""

from __future__ import annotations


class ParslError(Exception):
    """Base of every error that Parsl raises."""


class ConfigurationError(ParslError):
    """A configuration cannot work as it is written."""


class InternalConsistencyError(ParslError):
    """Parsl has contradicted itself; this is a bug in Parsl, not in the workflow."""


class NoDataFlowKernelError(ParslError):
    """An operation needs a loaded configuration, and none is loaded."""


class AttemptError(ParslError):
    """An attempt of a task was ended from outside; the last argument describes the event.

    Attributes:
        attempt: A description of task and attempt; empty until the kernel has added it.
    """

    attempt = ""

    def name_attempt(self, attempt: str) -> None:
        """Put the attempt at the beginning of the message, once."""
        if self.attempt or not self.args or not isinstance(self.args[-1], str):
            return
        self.attempt = attempt
        self.args = (*self.args[:-1], f"{attempt}: {self.args[-1]}")


class ReasonError(ParslError):
    """Base of errors with one argument, the reason, which ``message`` puts into a sentence."""

    message = "{}"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.message.format(self.reason)


class OptionalModuleMissing(ParslError):
    """The optional packages of a requested feature cannot be imported.

    Args:
        module_names: The required packages.
        reason: The feature that needs them, and how to install them.
    """

    def __init__(self, module_names: list[str], reason: str) -> None:
        super().__init__(module_names, reason)
        self.module_names = module_names
        self.reason = reason

    def __str__(self) -> str:
        modules = ", ".join(self.module_names)
        return f"This needs optional modules that could not be imported: {modules}. {self.reason}"
