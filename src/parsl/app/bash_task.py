"""The worker's side of bash apps: runs a command line. Every worker imports it, so it imports little."""

from __future__ import annotations

import os
import signal

from parsl.executors.local import task_process
from parsl.executors.local.interrupt import walltime_exceeded
from parsl.vocabulary import for_function
from parsl.vocabulary.app_errors import (
    AppBadFormatting,
    AppException,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO, Any

SHELL = "/bin/bash"
DEFAULT_MODE = "a+"
_END_OF_HEAD = "--> end executable <--"
#: Signals that Python ignores, or the driver may ignore. The command starts with their default handling.
_RESET_SIGNALS = tuple(
    number
    for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGQUIT")
    if (number := getattr(signal, name, None)) is not None
)


class BashTask:
    """The function of a bash app's task: calls the app's function, and runs the command line it returns."""

    #: The command runs in a process of its own, which can be ended from outside (see task_process).
    runs_command = True
    #: The task itself enforces ``walltime`` on executors that do not.
    enforces_walltime = True

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, /, *args: Any, **kwargs: Any) -> int:
        return remote_side_bash_executor(self.func, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<BashTask {self.__name__}>"

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)


def remote_side_bash_executor(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> int:
    """Call a bash app's function, and run the command line that it returns by ``/bin/bash``.

    The command has an empty standard input, and a process group of its own.

    Args:
        func: The function.
        args: Its positional arguments.
        kwargs: Its keyword arguments. ``stdout`` and ``stderr`` (a path, or a path and a mode) name the
            files for the command's output; ``walltime`` is the time limit of the command (seconds);
            ``outputs`` are files that must exist when the command has ended.

    Returns:
        0, the exit code.

    Raises:
        AppBadFormatting: The function raised an IndexError, as ``"{1}".format(x)`` does.
        BashAppNoReturn: The function returned no string, or raised an AttributeError.
        Exception: The function raised another exception.
        BadStdStreamFile: The file for stdout or stderr cannot be written.
        AppTimeout: The command exceeded its walltime, and was killed with all its processes.
        BashExitFailure: The exit code was not 0.
        MissingOutputs: Declared outputs do not exist.
    """
    name = getattr(func, "__name__", type(func).__name__)
    command = _make_command(name, func, args, kwargs)
    stdout = stderr = None
    try:
        stdout = _open_stream("stdout", kwargs.get("stdout"))
        stderr = _open_stream("stderr", kwargs.get("stderr"))
        if stderr is not None:
            _write_head(stderr, command)
        exit_code = _run(name, command, stdout, stderr, kwargs.get("walltime"))
    finally:
        for stream in (stdout, stderr):
            if stream is not None:
                stream.close()
    if exit_code != 0:
        failure = BashExitFailure(name, exit_code)
        failure.stdout, failure.stderr = _path_of(stdout), _path_of(stderr)
        raise _explained(failure, stderr)
    _check_outputs(name, kwargs.get("outputs") or ())
    return exit_code


def _make_command(name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    try:
        command = func(*args, **for_function(func, kwargs))
    except IndexError as error:
        raise AppBadFormatting(f"App formatting failed for app {name!r} with IndexError: {error}") from error
    except AttributeError as error:
        raise BashAppNoReturn(
            f"bash_app {name} returned no command line: its function raised AttributeError: {error}"
        ) from error
    if not isinstance(command, str):
        raise BashAppNoReturn(
            f"bash_app {name} returned {command!r} ({type(command).__name__}); "
            "its function has to return the command line, a string, for bash to run"
        )
    return command


def _open_stream(kind: str, spec: Any) -> IO[str] | None:
    """Open the file that the app call has named as ``stdout`` or ``stderr``."""
    if spec is None:
        return None
    path, mode = spec if isinstance(spec, tuple) and len(spec) == 2 else (spec, DEFAULT_MODE)
    try:
        path = os.fspath(path)
    except TypeError:
        path = None
    if not isinstance(path, str) or not isinstance(mode, str):
        raise BadStdStreamFile(f"{kind} is {spec!r}; expected a path, or a path and a mode: ('out.txt', 'w')")
    try:
        try:
            stream = open(path, mode)  # noqa: SIM115
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            stream = open(path, mode)  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise BadStdStreamFile(f"{path} cannot be opened for {kind}: {error}") from error
    if not stream.writable():
        stream.close()
        raise BadStdStreamFile(f"{path} is opened for {kind} with mode {mode!r}, which does not write")
    return stream


def _write_head(stderr: Any, command: str) -> None:
    """Write the command to the beginning of its stderr file."""
    head = f"--> executable follows <--\n{command}\n{_END_OF_HEAD}\n"
    binary = getattr(stderr, "buffer", stderr)
    binary.write(head.encode("utf-8", "surrogateescape"))
    binary.flush()


def _run(
    name: str, command: str, stdout: IO[str] | None, stderr: IO[str] | None, walltime_s: float | None
) -> int:
    """Run a command line, no longer than ``walltime_s``. Returns the exit code."""
    child = task_process.current()
    child.starting()
    pid = 0
    try:
        pid = _spawn(name, command, stdout, stderr)
    finally:
        child.started(pid)
    try:
        status = child.wait(walltime_s)
    except ChildProcessError as error:
        raise AppException(
            f"The exit code of bash_app {name} is lost: other code in this process waits for all of its "
            "children, or SIGCHLD is ignored"
        ) from error
    except BaseException:
        child.terminate()
        raise
    if status is None:
        child.terminate()
        raise _explained(walltime_exceeded(name, walltime_s or 0.0), stderr)
    return os.waitstatus_to_exitcode(status)


def _path_of(stream: IO[str] | None) -> str | None:
    return None if stream is None else os.path.abspath(stream.name)


def _explained(error: AppException, stderr: IO[str] | None) -> AppException:
    """Attach the exit code, the signal, and the end of the command's stderr to an error."""
    from parsl.failure_facts import attach, tail_of

    code = getattr(error, "exitcode", None)
    tail = tail_of(stderr.name, after=_END_OF_HEAD) if stderr is not None else ""
    if isinstance(error, BashExitFailure):
        error.stderr_tail = tail
    attach(
        error,
        exit_code=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        stderr_tail=tail,
    )
    return error


def _spawn(name: str, command: str, stdout: IO[str] | None, stderr: IO[str] | None) -> int:
    # posix_spawn takes half the time of subprocess, and an environment of bytes is passed on faster.
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    if stdout is not None:
        actions.append((os.POSIX_SPAWN_DUP2, stdout.fileno(), 1))
    if stderr is not None:
        actions.append((os.POSIX_SPAWN_DUP2, stderr.fileno(), 2))
    # A worker leads a session, by which its manager finds all processes that tasks leave behind. In the
    # driver, a session of its own protects a command from the terminal's Ctrl-C, and identifies it.
    group: Any = {"setpgroup": 0} if os.getsid(0) == os.getpid() else {"setsid": True}
    try:
        return os.posix_spawn(
            SHELL,
            (SHELL, "-c", command),
            dict(os.environb),
            file_actions=actions,
            **group,
            setsigmask=(),
            setsigdef=_RESET_SIGNALS,
        )
    except (OSError, ValueError) as error:
        text = f"The command line of bash_app {name} cannot be run by {SHELL}: {error}"
        if isinstance(error, OSError) and error.errno == 7:
            text += (
                f". It has {len(command)} characters, more than the system accepts, or the environment is "
                "too large; write the script to a file and run that"
            )
        raise AppException(text) from error


def _check_outputs(name: str, outputs: Sequence[Any]) -> None:
    missing = [output for output in outputs if not os.path.exists(getattr(output, "filepath", output))]
    if missing:
        raise MissingOutputs(f"Missing outputs from app {name}", missing)
