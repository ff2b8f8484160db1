"""The process that writes a run into the database. It outlives the driver if rows are left to write.

Its standard input ends when the run is over, or the driver is lost. It reports on its standard output, one
line for each text that the user should read.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from parsl.common.commands import python_command
from parsl.common.processes import lower_priority, setproctitle, wait_readable
from parsl.common.rundirs import numbered_rundirs
from parsl.eventlog.file import EventLogError, EventReader, path_of
from parsl.monitoring.database.endpoint import store_for
from parsl.monitoring.database.filling import Filling
from parsl.monitoring.database.store import StoreError
from parsl.monitoring.settings import GAVE_UP, Settings, complete_settings, read_settings, settings_file

logger = logging.getLogger(__name__)

#: Tasks have precedence over the database: next to a busy process, the writer gets a quarter of its core.
#: More niceness would stop it for minutes where many processes are busy.
_NICENESS = 5
#: How often to look for an event log that does not exist yet, in seconds.
_PERIOD_S = 0.2
#: A driver on another host whose log has not grown for this long counts as lost, in seconds.
_FORGOTTEN_S = 86_400.0
#: In the environment of a process that completes earlier runs, and that starts no other one.
_IS_COMPLETING = "PARSL_MONITORING_COMPLETES"


def main() -> int:
    """Write the runs in the directories of the command line; return the exit code."""
    setproctitle("parsl: monitoring")
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03d %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    lower_priority(_NICENESS)
    code = 0
    end = EndOfInput(0)
    for run_dir in sys.argv[1:]:
        code = record(run_dir, end.wait, report) or code
    return code


def record(run_dir: str, wait: Callable[[float], bool], warn: Callable[[str], None]) -> int:
    """Write the run in a directory, unless another process does so.

    Args:
        run_dir: The run directory, with settings.
        wait: Waits for this many seconds, or until the run is over; returns whether it is.
        warn: Called with a text for the user.

    Returns:
        The exit code: 0, or `GAVE_UP` after a warning.
    """
    settings = read_settings(run_dir)
    if settings is None:  # another process has completed the run
        return 0
    if settings.debug:
        logging.getLogger().setLevel(logging.DEBUG)
    with _lock(run_dir) as is_ours:
        if not is_ours:
            return 0
        _complete_others(run_dir, settings)
        try:
            filling = _fill(run_dir, settings, wait, warn)
        except (StoreError, EventLogError) as error:
            logger.exception("The database lacks rows of %s", run_dir)
            warn(f"The monitoring database lacks rows of {run_dir}. {error}")
            return GAVE_UP
        logger.info("Written: %r", filling)
        if filling.is_complete or _is_forgotten(run_dir):
            complete_settings(run_dir, settings)
    return 0


def _fill(
    run_dir: str, settings: Settings, wait: Callable[[float], bool], warn: Callable[[str], None]
) -> Filling:
    with _open(run_dir, wait) as reader:
        filling = Filling(
            reader,
            store_for(settings.endpoint),
            resource_interval_s=settings.resource_interval_s,
            wait=wait,
            warn=warn,
        )
        filling.run()
    return filling


def _open(run_dir: str, wait: Callable[[float], bool]) -> EventReader:
    """Open the event log, which the driver creates soon after the start of the run."""
    while True:
        try:
            return EventReader(run_dir)
        except EventLogError:
            if wait(_PERIOD_S):
                return EventReader(run_dir)


@contextmanager
def _lock(run_dir: str) -> Iterator[bool]:
    """Take the lock of a run's settings, if no other process has it; yield whether the run is this one's."""
    try:
        fd = os.open(settings_file(run_dir), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def _complete_others(run_dir: str, settings: Settings) -> None:
    """Let another process complete earlier runs of this database, whose processes were killed."""
    others = [
        other
        for other in numbered_rundirs(os.path.dirname(run_dir))
        if other != run_dir and (found := read_settings(other)) and found.endpoint == settings.endpoint
    ]
    if not others or os.environ.get(_IS_COMPLETING):
        return
    logger.info("Completing %s", ", ".join(others))
    subprocess.Popen(
        [*python_command("parsl.monitoring.writer"), *others],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, _IS_COMPLETING: "1"},
        start_new_session=True,
    )


def _is_forgotten(run_dir: str) -> bool:
    return time.time() - os.stat(path_of(run_dir)).st_mtime > _FORGOTTEN_S


class EndOfInput:
    """Waits for the end of a descriptor's input, which nothing is written to."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._has_ended = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._fd}: {self._has_ended}>"

    def wait(self, duration_s: float) -> bool:
        """Wait until the input ends, or this many seconds if it has ended; return whether it has."""
        if self._has_ended:
            time.sleep(duration_s)
        else:
            self._has_ended = wait_readable(self._fd, duration_s)
        return self._has_ended


def report(text: str) -> None:
    """Report a text to the driver, if it still listens."""
    logger.warning(text)
    try:
        print(" ".join(text.split()), flush=True)  # noqa: T201
    except OSError:
        pass
