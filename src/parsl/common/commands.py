"""Running a program, such as a scheduler's command, for its output; never through a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.common.processes import kill_tree
from parsl.errors import ParslError

#: The package is imported from where this process has it, even if that is not on the default path.
_START = "import sys; sys.path.append({root!r}); from {module} import main; sys.exit(main())"
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: How long to wait for the rest of the output after all processes have been killed, in seconds.
_LAST_OUTPUT_S = 0.5


class CommandNotStarted(ParslError):
    """A program could not be started, for the reason that the operating system reports."""

    def __init__(self, command: tuple[str, ...], reason: str) -> None:
        super().__init__(command, reason)
        self.command = command
        self.reason = reason

    def __str__(self) -> str:
        program = self.command[0]
        hint = "" if os.sep in program else f" Is the directory of {program} on the PATH here?"
        return f"Cannot run {program}: {self.reason}.{hint}"


class CommandResult(NamedTuple):
    """The output and the end of a program."""

    command: tuple[str, ...]  #: the program and its arguments
    exit_code: int  #: minus the number of the signal that ended the program
    stdout: str  #: up to the end or the timeout; bytes that are not UTF-8 are replaced
    stderr: str
    timed_out: bool  #: whether the program was killed because it exceeded its time


def python_command(module: str) -> list[str]:
    """Return the command that runs the `main` of a module of this package in this process's own Python."""
    return [sys.executable, "-c", _START.format(root=_ROOT, module=module)]


def run_command(
    command: Sequence[str],
    timeout_s: float | None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin_text: str | None = None,
) -> CommandResult:
    """Run a program until it ends or exceeds its time; then it is killed together with its children.

    The environment and directory are those of this process, and the input is empty, unless given. Any exit
    code is a result; CommandNotStarted if the program does not exist, or cannot be started.
    """
    words = tuple(command)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL if stdin_text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandNotStarted(words, error.strerror or str(error)) from error
    try:
        stdout, stderr, timed_out = _communicate(process, stdin_text, timeout_s)
    except BaseException:
        kill_tree(process.pid)
        process.wait()
        raise
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    out, err = ((output or b"").decode(errors="replace") for output in (stdout, stderr))
    return CommandResult(words, process.wait(), out, err, timed_out)


def _communicate(
    process: subprocess.Popen[bytes], stdin_text: str | None, timeout_s: float | None
) -> tuple[bytes | None, bytes | None, bool]:
    sent = None if stdin_text is None else stdin_text.encode()
    try:
        return (*process.communicate(sent, timeout=timeout_s), False)
    except subprocess.TimeoutExpired:
        # If the program has ended, a child that it left behind holds the pipes.
        timed_out = process.poll() is None
    kill_tree(process.pid)
    try:
        return (*process.communicate(timeout=_LAST_OUTPUT_S), timed_out)
    except subprocess.TimeoutExpired as expired:  # another process still holds the pipes
        return expired.stdout, expired.stderr, timed_out
