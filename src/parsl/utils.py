"""Helpers that scripts and plug-ins written for upstream Parsl import from here.

Parsl itself uses none of them; what its own modules share is in :mod:`parsl.common`.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from itertools import count

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.processes import setproctitle
from parsl.common.representation import RepresentationMixin
from parsl.common.rundirs import get_all_checkpoints, get_last_checkpoint
from parsl.version import get_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import IO, Any, NoReturn

__all__ = [
    "AtomicIDCounter", "AutoCancelTimer", "RepresentationMixin", "Timer", "execute_wait",
    "get_all_checkpoints", "get_last_checkpoint", "get_std_fname_mode", "get_version",
    "sanitize_dns_label_rfc1123", "sanitize_dns_subdomain_rfc1123", "setproctitle", "time_limited_open",
    "wait_for_file", "wtime_to_minutes",
]  # fmt: skip

_DNS_LABEL_CHARS = 63
_DNS_SUBDOMAIN_CHARS = 253
_FILE_WAIT_STEP_S = 0.05
_OPEN_MODES = frozenset(verb + rest for verb in "awx" for rest in ("", "+", "b", "t", "b+", "t+", "+b", "+t"))


class AtomicIDCounter:
    """Counts 0, 1, 2, ... for any number of threads; no number is returned twice."""

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

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        self.cancel()


class Timer:
    """Calls a function periodically, in a thread of its own, until the timer is closed.

    An exception that the function raises is logged, and the calls continue.

    Args:
        callback: The function.
        args: Its arguments.
        interval: The time between the end of a call and the next one, in seconds.
        name: The name of the thread.
    """

    callback: Callable[..., Any] = validate.Function()
    interval = validate.Number(above=0)

    def __init__(
        self, callback: Callable[..., Any], *args: Any, interval: float | int = 5, name: str | None = None
    ) -> None:
        validate.assign(self, locals())
        self.cb_args = args
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
                "The callback of timer %s failed; the timer continues", self._thread.name
            )

    def close(self, timeout: float | None = None) -> None:
        """Stop the calls, and wait for the current one to end.

        Args:
            timeout: How long to wait, in seconds; None means without limit.
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
    """Split the value of a task's ``stdout`` or ``stderr`` parameter into path and mode.

    Args:
        fdname: ``"stdout"`` or ``"stderr"``, for the error message.
        stdfspec: A path, or a pair of path and mode.

    Returns:
        The path, and the mode to open it with (by default ``a+``).

    Raises:
        ParameterTypeError: The value is neither a path nor such a pair.
        ParameterValueError: The mode is not for writing, or the path is empty.
    """
    path: object
    mode: object
    path, mode = stdfspec if isinstance(stdfspec, tuple) and len(stdfspec) == 2 else (stdfspec, "a+")
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str) or not isinstance(mode, str):
        validate.wrong_type("app", fdname, stdfspec, "a path, or a pair (path, mode)")
    if not path or "\0" in path:
        validate.wrong_value("app", fdname, stdfspec, "a path that is not empty and has no NUL in it")
    if mode not in _OPEN_MODES:
        validate.wrong_value("app", fdname, stdfspec, "a mode to write with, such as 'w', 'a' or 'a+'")
    return path, mode


def wtime_to_minutes(time_string: str) -> int:
    """Convert a walltime into minutes.

    Args:
        time_string: ``HH:MM:SS`` or ``D-HH:MM:SS``. (``HH:MM`` and ``MM`` mean different times to
            different schedulers and are refused.)

    Returns:
        Whole minutes, rounded down, but at least 1 for any time above zero.

    Raises:
        ParameterTypeError: The walltime is not a string.
        ParameterValueError: The walltime has another form.
    """
    import re

    time_string = validate.text("wtime_to_minutes", "time_string", time_string)
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", time_string.strip(), re.ASCII)
    if match is None:
        expected = "a walltime of the form HH:MM:SS or D-HH:MM:SS"
        validate.wrong_value("wtime_to_minutes", "time_string", time_string, expected)
    days, hours, minutes, seconds = (int(field or 0) for field in match.groups())
    total_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return max(total_s // 60, 1 if total_s else 0)


def execute_wait(cmd: str, walltime: int | None = None) -> tuple[int, str, str]:
    """Run a command line in a shell, and wait for its end.

    Args:
        cmd: The command line.
        walltime: How long to wait, in seconds; None means without limit.

    Returns:
        The exit code, stdout and stderr.

    Raises:
        subprocess.TimeoutExpired: The command took longer. It has been killed together with its children.
    """
    import signal
    from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

    with Popen(
        cmd, shell=True, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, errors="replace", start_new_session=True
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=walltime)
        except TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, stdout, stderr


def sanitize_dns_label_rfc1123(raw_string: str) -> str:
    """Convert a string into a DNS label: lower-case letters, digits and dashes, at most 63 of them.

    Raises:
        ValueError: The string has no ASCII letter or digit.
    """
    return _dns_label(raw_string) or _refuse_dns_name(raw_string, "label")


def sanitize_dns_subdomain_rfc1123(raw_string: str) -> str:
    """Convert a string into a DNS name: labels with dots between them, at most 253 characters.

    Raises:
        ValueError: The string has no ASCII letter or digit.
    """
    labels = filter(None, map(_dns_label, raw_string.split(".")))
    return ".".join(labels)[:_DNS_SUBDOMAIN_CHARS].strip("-.") or _refuse_dns_name(raw_string, "name")


def _dns_label(text: str) -> str:
    import re

    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_DNS_LABEL_CHARS].strip("-")


def _refuse_dns_name(text: str, kind: str) -> NoReturn:
    raise ValueError(f"Nothing in {text!r} can be part of a DNS {kind}: it has no ASCII letter or digit.")


@contextmanager
def wait_for_file(path: str, seconds: int = 10) -> Generator[None, None, None]:
    """Enter the block when a file exists, at the latest after ``seconds``."""
    from time import monotonic, sleep

    deadline_s = monotonic() + seconds
    while not os.path.exists(path) and monotonic() < deadline_s:
        sleep(_FILE_WAIT_STEP_S)  # there is no portable notification
    yield


@contextmanager
def time_limited_open(path: str, mode: str, seconds: int = 1) -> Generator[IO[Any], None, None]:
    """Wait up to ``seconds`` for a file, and open it.

    Raises:
        FileNotFoundError: The file still does not exist.
    """
    with wait_for_file(path, seconds), open(path, mode) as stream:
        yield stream


pass_on_upstream_names(__name__)
