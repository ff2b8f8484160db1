"""Small things that many parts, and users' scripts, need."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from itertools import count

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import TracebackType
    from typing import IO, Any

_ONE_LINE_CHARS = 78
_DNS_LABEL_CHARS = 63
_DNS_SUBDOMAIN_CHARS = 253
_FILE_WAIT_STEP_S = 0.05
_OPEN_MODES = frozenset(
    verb + kind + plus
    for verb in ("a", "w", "x")
    for kind in ("", "b", "t")
    for plus in ("", "+")
) | frozenset(verb + "+" + kind for verb in ("a", "w", "x") for kind in ("b", "t"))  # fmt: skip


def get_version() -> str:
    """Return the version of Parsl, such as ``"2026.11.23"``."""
    from parsl.version import VERSION

    return VERSION


class RepresentationMixin:
    """Gives a class a ``repr`` in the form of the call that makes it, with the values it has now.

    The class keeps each parameter of its ``__init__`` in an attribute of the same name. One that is
    missing, because ``__init__`` has not come so far, is shown as ``<unrecorded>``. A repr that does
    not fit on a line has a line for each parameter.
    """

    def __repr__(self) -> str:
        from inspect import Parameter, signature

        shown = []
        for parameter in signature(type(self).__init__).parameters.values():
            if parameter.name == "self" or parameter.kind in (
                Parameter.VAR_POSITIONAL,
                Parameter.VAR_KEYWORD,
            ):
                continue
            required = parameter.default is Parameter.empty and parameter.kind is not Parameter.KEYWORD_ONLY
            value = _attribute_repr(self, parameter.name)
            shown.append(value if required else f"{parameter.name}={value}")
        name = type(self).__name__
        line = f"{name}({', '.join(shown)})"
        if len(line) <= _ONE_LINE_CHARS and "\n" not in line:
            return line
        lines = ",\n".join(shown).replace("\n", "\n    ")
        return f"{name}(\n    {lines}\n)"


def _attribute_repr(owner: object, name: str) -> str:
    try:
        return repr(getattr(owner, name))
    except AttributeError:
        return "<unrecorded>"
    except Exception as error:
        return f"<repr raises {type(error).__name__}: {error}>"


class AtomicIDCounter:
    """Counts 0, 1, 2, ... for any number of threads; no number is given twice."""

    def __init__(self) -> None:
        self._numbers = count()
        self._lock = threading.Lock()

    def get_id(self) -> int:
        """Return the next number."""
        with self._lock:
            return next(self._numbers)


class AutoCancelTimer(threading.Timer):
    """A ``threading.Timer`` that is started by ``with`` and cancelled at the end of the block."""

    def __enter__(self) -> AutoCancelTimer:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.cancel()


class Timer:
    """Calls a function again and again, in a thread of its own, until it is closed.

    An exception of the function is logged, and the function is called again when it is time.

    Args:
        callback: The function.
        args: What to call it with.
        interval: The time between the end of a call and the next one, in seconds.
        name: The name of the thread.
    """

    def __init__(
        self,
        callback: Callable[..., Any],
        *args: Any,
        interval: float | int = 5,
        name: str | None = None,
    ) -> None:
        self.callback: Callable[..., Any] = validate.callable_(self, "callback", callback)
        self.cb_args = args
        self.interval = validate.number(self, "interval", interval, above=0)
        self._closed = threading.Event()
        self._calls = 0
        self._thread = threading.Thread(target=self._run, name=name or f"Timer-{id(self)}", daemon=True)
        self._thread.start()

    def make_callback(self) -> None:
        """Call the function now, in the calling thread; its exceptions are logged."""
        self._calls += 1
        try:
            self.callback(*self.cb_args)
        except Exception:
            import logging

            logging.getLogger(__name__).exception(
                "Callback of timer %s failed; it goes on", self._thread.name
            )

    def close(self, timeout: float | None = None) -> None:
        """Stop calling, and wait for a call that is under way.

        Args:
            timeout: How long to wait, in seconds; None: as long as it takes.
        """
        self._closed.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closed.wait(self.interval):
            self.make_callback()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else f"every {self.interval} s"
        return f"<{type(self).__name__} {self._thread.name}: {state}, {self._calls} calls>"


def get_std_fname_mode(
    fdname: str, stdfspec: os.PathLike[str] | str | tuple[str | os.PathLike[str], str]
) -> tuple[str, str]:
    """Split what a user gave as a task's stdout or stderr into path and mode.

    Args:
        fdname: ``"stdout"`` or ``"stderr"``, for the error message.
        stdfspec: A path, or a pair of path and mode.

    Returns:
        The path and the mode to open it with, which is ``a+`` if none was given.

    Raises:
        ParameterTypeError: It is neither a path nor a pair of them.
        ParameterValueError: The mode is not one to write with, or the path is empty.
    """
    path: object = stdfspec
    mode: object = "a+"
    expected = "a path, or a pair (path, mode)"
    if isinstance(stdfspec, tuple):
        if len(stdfspec) != 2:
            validate.wrong_type("app", fdname, stdfspec, expected)
        path, mode = stdfspec
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        validate.wrong_type("app", fdname, stdfspec, expected)
    if not path or "\0" in path:
        validate.wrong_value("app", fdname, stdfspec, "a path that is not empty and has no NUL in it")
    if not isinstance(mode, str):
        validate.wrong_type("app", fdname, stdfspec, expected)
    if mode not in _OPEN_MODES:
        validate.wrong_value("app", fdname, stdfspec, "a mode to write with, such as 'w', 'a' or 'a+'")
    return path, mode


def wtime_to_minutes(time_string: str) -> int:
    """Turn a walltime into minutes.

    Args:
        time_string: ``HH:MM:SS`` or ``D-HH:MM:SS``. (``HH:MM`` and ``MM`` mean different times to
            different schedulers and are refused.)

    Returns:
        Whole minutes, rounded down; but at least 1 for any time that is not zero.

    Raises:
        ParameterTypeError: It is not a string.
        ParameterValueError: It has another form.
    """
    expected = "a walltime of the form HH:MM:SS or D-HH:MM:SS"
    time_string = validate.text("wtime_to_minutes", "time_string", time_string)
    days, dash, clock = time_string.strip().rpartition("-")
    fields = clock.split(":")
    numbers = [*([days] if dash else []), *fields]
    if len(fields) != 3 or not all(number.isascii() and number.isdigit() for number in numbers):
        validate.wrong_value("wtime_to_minutes", "time_string", time_string, expected)
    hours, minutes, seconds = (int(field) for field in fields)
    total_s = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
    return max(total_s // 60, 1 if total_s else 0)


def execute_wait(cmd: str, walltime: int | None = None) -> tuple[int, str, str]:
    """Run a command line with the shell, and wait for it.

    Args:
        cmd: The command line.
        walltime: How long to wait, in seconds; None: as long as it takes.

    Returns:
        Exit code, stdout, stderr.

    Raises:
        subprocess.TimeoutExpired: It took longer; it has been killed, with its children.
    """
    import signal
    from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

    with Popen(
        cmd,
        shell=True,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=walltime)
        except TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, stdout, stderr


def setproctitle(title: str) -> None:
    """Show ``title`` as this process's name in ``ps`` and ``top``, if the package setproctitle is there.

    The short name, of 15 characters, has no spaces: a Slurm that finds the processes of a job by
    ``/proc/PID/stat`` (proctrack/linuxproc) could not end this one otherwise.
    """
    try:
        import setproctitle as package
    except ImportError:
        return
    package.setproctitle(title)
    package.setthreadtitle(title.replace(": ", ":").replace(" ", "-"))


def sanitize_dns_label_rfc1123(raw_string: str) -> str:
    """Make a string a DNS label: lower-case letters, digits and dashes, at most 63 of them.

    Raises:
        ValueError: Nothing of it is left.
    """
    import re

    label = re.sub(r"[^a-z0-9]+", "-", raw_string.lower())[:_DNS_LABEL_CHARS].strip("-")
    if not label:
        raise ValueError(
            f"Nothing in {raw_string!r} can stand in a DNS label: it has no ASCII letter or digit."
        )
    return label


def sanitize_dns_subdomain_rfc1123(raw_string: str) -> str:
    """Make a string a DNS name: labels with dots between them, at most 253 characters.

    Raises:
        ValueError: Nothing of it is left.
    """
    labels = []
    for part in raw_string.split("."):
        try:
            labels.append(sanitize_dns_label_rfc1123(part))
        except ValueError:
            continue
    subdomain = ".".join(labels)[:_DNS_SUBDOMAIN_CHARS].strip("-.")
    if not subdomain:
        raise ValueError(
            f"Nothing in {raw_string!r} can stand in a DNS name: it has no ASCII letter or digit."
        )
    return subdomain


@contextmanager
def wait_for_file(path: str, seconds: int = 10) -> Generator[None, None, None]:
    """Enter the block when a file exists, or when ``seconds`` are over."""
    from time import monotonic, sleep

    deadline_s = monotonic() + seconds
    while not os.path.exists(path) and monotonic() < deadline_s:
        sleep(_FILE_WAIT_STEP_S)  # there is no portable way to be told
    yield


@contextmanager
def time_limited_open(path: str, mode: str, seconds: int = 1) -> Generator[IO[Any], None, None]:
    """Open a file that may come into being only within ``seconds``.

    Raises:
        FileNotFoundError: It still does not exist.
    """
    with wait_for_file(path, seconds), open(path, mode) as stream:
        yield stream


def get_all_checkpoints(rundir: str = "runinfo") -> Sequence[str]:
    """Return the checkpoint directories of all runs, the oldest first.

    Empty ones, of runs that were killed before they had written anything, are left out.

    Args:
        rundir: The directory that holds the runs' directories, ``Config.run_dir``.
    """
    from parsl.common.rundirs import numbered_rundirs

    checkpoints = (os.path.abspath(os.path.join(run, "checkpoint")) for run in numbered_rundirs(rundir))
    return [path for path in checkpoints if os.path.isdir(path) and os.listdir(path)]


def get_last_checkpoint(rundir: str = "runinfo") -> Sequence[str]:
    """Return a list of the newest checkpoint directory, which is empty if there is none.

    Args:
        rundir: The directory that holds the runs' directories, ``Config.run_dir``.
    """
    return get_all_checkpoints(rundir)[-1:]
