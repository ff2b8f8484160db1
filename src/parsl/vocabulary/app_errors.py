"""Errors of apps."""

from __future__ import annotations

from collections.abc import Sequence

from parsl.errors import AttemptError, ParslError, ReasonError
from parsl.vocabulary import publish

#: The meaning of exit codes of the shell.
_SHELL_EXIT_CODES = {
    126: "the command was found but cannot be executed: is the file executable, and made for this machine?",
    127: "a command was not found: is it installed on the worker, and on its PATH?",
}


class AppException(ParslError):
    """Base of the errors of tasks that failed."""


class AppTimeout(AppException, AttemptError):
    """A task exceeded its walltime and was ended. The message contains task, attempt and place."""


class AppBadFormatting(ParslError):
    """A bash app's function failed to make its command line."""


class BashAppNoReturn(ReasonError, AppException, ValueError):
    """A bash app's function returned no command line. (Upstream raises a ValueError in most of these cases.)

    Args:
        reason: A description of the returned value.
    """


class BadStdStreamFile(ReasonError):
    """A task's stdout or stderr cannot be opened.

    Args:
        reason: The file, and why it cannot be opened.
    """

    message = "Bad stream file: {}"


class BashExitFailure(AppException):
    """A bash app's command line ended with an exit code other than 0.

    Args:
        app_name: The app.
        exitcode: The exit code; minus the signal's number if a signal ended the shell.

    Attributes:
        stdout: The absolute path of the command's ``stdout``, where the task ran; None without a file.
        stderr: The absolute path of its ``stderr``, likewise.
        stderr_tail: The end of its ``stderr``, if that is a file.
    """

    stdout: str | None = None
    stderr: str | None = None
    stderr_tail: str = ""

    def __init__(self, app_name: str, exitcode: int) -> None:
        super().__init__(app_name, exitcode)
        self.app_name = app_name
        self.exitcode = exitcode

    def __str__(self) -> str:
        text = f"bash_app {self.app_name} failed with unix exit code {self.exitcode}"
        if meaning := meaning_of_exit(self.exitcode):
            text += f": {meaning}"
        return f"{text}. {self._output()}"

    def _output(self) -> str:
        """Return where the command's output is, and the end of its stderr."""
        paths = {"stdout": self.stdout, "stderr": self.stderr}
        files = ", ".join(f"{name}: {path}" for name, path in paths.items() if path)
        if self.stderr_tail:
            return f"{files}. The end of its stderr:\n{self.stderr_tail}"
        if self.stderr:
            return f"{files}. Its stderr is empty"
        advice = "To see its stderr here, call the app with stderr=parsl.AUTO_LOGNAME"
        return f"{files}. {advice}" if files else advice


class MissingOutputs(ParslError):
    """A task ended without all of the files it was declared to write.

    Args:
        reason: The step in which the files were expected.
        outputs: The missing files.
    """

    def __init__(self, reason: str, outputs: Sequence[object]) -> None:
        super().__init__(reason, outputs)
        self.reason = reason
        self.outputs = outputs

    def __str__(self) -> str:
        files = ", ".join(str(output) for output in self.outputs)
        return f"Missing outputs: {files}. {self.reason}"


def task_failure(error: BaseException) -> Exception:
    """Return the exception for the future of a task that raised ``error``.

    KeyboardInterrupt and similar exceptions would end the thread that waits for the result, so they become
    the cause of an AppException.
    """
    if isinstance(error, Exception):
        return error
    failure = AppException(f"The task raised {error!r}, as if to end its process")
    failure.__cause__ = error
    return failure


def meaning_of_exit(exitcode: int) -> str:
    """Return the special meaning of a shell's exit code; empty if it only means failure."""
    if exitcode in _SHELL_EXIT_CODES:
        return _SHELL_EXIT_CODES[exitcode]
    from signal import Signals

    number = -exitcode if exitcode < 0 else exitcode - 128
    try:
        return f"ended by signal {number} ({Signals(number).name})"
    except ValueError:
        return ""


publish(globals(), "parsl.app.errors")
