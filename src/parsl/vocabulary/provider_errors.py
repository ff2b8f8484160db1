"""Errors of providers.

::

    ParslError
    └── ExecutionProviderException
        ├── ScaleOutFailed            a block could not be asked for
        ├── SchedulerMissingArgs      a provider was not told something it needs
        ├── ScriptPathError           a job script could not be written or found
        ├── SubmitException           the scheduler refused a job
        └── BadLauncher               (parsl.launchers.errors) also a TypeError
"""

from __future__ import annotations

from parsl.errors import ParslError
from parsl.vocabulary import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class ExecutionProviderException(ParslError):
    """Base of the errors of providers."""


class ScaleOutFailed(ExecutionProviderException):
    """A provider could not ask for another block.

    Args:
        provider: The provider, or its label.
        reason: What went wrong.
    """

    def __init__(self, provider: object, reason: object) -> None:
        super().__init__(provider, reason)
        self.provider = provider
        self.reason = reason

    def __str__(self) -> str:
        return f"Unable to scale out with provider {self.provider}: {self.reason}"


class SchedulerMissingArgs(ExecutionProviderException):
    """A provider was not told something that its scheduler insists on.

    Args:
        missing_keywords: The parameters that are missing.
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
    """A job script could not be written, or is not where it should be.

    Args:
        script_path: The script.
        reason: What went wrong.
    """

    def __init__(self, script_path: object, reason: object) -> None:
        super().__init__(script_path, reason)
        self.script_path = script_path
        self.reason = reason

    def __str__(self) -> str:
        return f"Unable to write the job script {self.script_path}: {self.reason}"


class SubmitException(ExecutionProviderException):
    """A scheduler did not take a job.

    Args:
        job_name: The job.
        message: What went wrong.
        stdout: What the submit command wrote to its standard output.
        stderr: What the submit command wrote to its standard error.
        retcode: The exit code of the submit command.
        command: The submit command and its arguments.
        is_permanent: Whether the scheduler would refuse it again, whenever it is tried.
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
        """The job's name, as older versions called it."""
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


publish(globals(), "parsl.providers.errors")
