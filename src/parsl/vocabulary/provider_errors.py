"""Errors of providers and of their jobs."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.errors import ParslError
from parsl.vocabulary import publish


class ExecutionProviderException(ParslError):
    """Base of the errors of providers."""


class ScaleOutFailed(ExecutionProviderException):
    """A provider could not request another block.

    Args:
        provider: The provider, or its label.
        reason: The reason.
    """

    def __init__(self, provider: object, reason: object) -> None:
        super().__init__(provider, reason)
        self.provider = provider
        self.reason = reason

    def __str__(self) -> str:
        return f"Unable to scale out with provider {self.provider}: {self.reason}"


class SchedulerMissingArgs(ExecutionProviderException):
    """A provider lacks a parameter that its scheduler requires.

    Args:
        missing_keywords: The missing parameters.
        sitename: The provider, or its label.
    """

    def __init__(self, missing_keywords: Sequence[str], sitename: str) -> None:
        super().__init__(missing_keywords, sitename)
        self.missing_keywords = missing_keywords
        self.sitename = sitename

    def __str__(self) -> str:
        missing = self.missing_keywords
        names = missing if isinstance(missing, str) else ", ".join(missing)
        return f"{self.sitename} needs parameters that were not given: {names}."


class ScriptPathError(ExecutionProviderException):
    """A job script could not be written or found.

    Args:
        script_path: The script.
        reason: The reason.
    """

    def __init__(self, script_path: object, reason: object) -> None:
        super().__init__(script_path, reason)
        self.script_path = script_path
        self.reason = reason

    def __str__(self) -> str:
        return f"Unable to write the job script {self.script_path}: {self.reason}"


class SubmitException(ExecutionProviderException):
    """A scheduler refused a job.

    Args:
        job_name: The job.
        message: The reason.
        stdout: The standard output of the submit command.
        stderr: The standard error of the submit command.
        retcode: The exit code of the submit command.
        command: The submit command and its arguments.
        is_permanent: Whether the scheduler would refuse every further attempt.
    """

    def __init__(
        self,
        job_name: str,
        message: str,
        stdout: str | None = None,
        stderr: str | None = None,
        retcode: int | None = None,
        *,
        command: Sequence[str] | None = None,
        is_permanent: bool = False,
    ) -> None:
        super().__init__(job_name, message, stdout, stderr, retcode)
        self.job_name = job_name
        self.message = message
        self.stdout = stdout
        self.stderr = stderr
        self.retcode = retcode
        self.command = None if command is None else tuple(command)
        self.is_permanent = is_permanent

    @property
    def task_name(self) -> str:
        """The job's name, under the name that older versions used."""
        return self.job_name

    def __str__(self) -> str:
        parts = [f"Unable to submit the job {self.job_name}: {self.message}"]
        if self.retcode is not None:
            command = f": {' '.join(self.command)}" if self.command else "."
            parts.append(f"The submit command ended with exit code {self.retcode}{command}")
        for name, output in (("stdout", self.stdout), ("stderr", self.stderr)):
            if output and output.strip():
                parts.append(f"Its {name}: {output.strip()}")
        return "\n".join(parts)


class TooManyJobFailuresError(ParslError):
    """Too many of an executor's blocks have failed, and it has given up."""

    __module__ = "parsl.jobs.errors"


class JobsNeverRunError(ParslError):
    """The scheduler has accepted an executor's blocks, and reports that they can never run."""

    __module__ = "parsl.jobs.errors"


publish(globals(), "parsl.providers.errors")
