"""The driver's side of the process that writes the database: its start, its warnings, its end."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections import deque
from time import monotonic

from parsl.common.commands import python_command
from parsl.common.notices import warn_user
from parsl.common.rundirs import for_the_user
from parsl.common.threads import disown_in_children
from parsl.monitoring.errors import MonitoringWarning
from parsl.monitoring.settings import GAVE_UP

logger = logging.getLogger(__name__)

#: The log of the process, in the run directory.
LOG = "monitoring.log"
#: How often a process that was killed is replaced, within the time (seconds).
_MAX_REPLACEMENTS = 3
_WITHIN_S = 600.0


class WriterProcess:
    """Owns the process that writes one run. Its thread waits for the process's warnings and its end.

    Nothing here raises: a run continues without its database, after a warning.

    Args:
        run_dir: The run directory, with settings for the process.
    """

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._is_closed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._has_ended = threading.Event()
        if self._start():
            threading.Thread(target=self._listen, name="parsl-monitoring", daemon=True).start()
            disown_in_children(self)

    def __repr__(self) -> str:
        pid = None if self._process is None else self._process.pid
        return f"<{type(self).__name__} {pid} {'ended' if self._has_ended.is_set() else 'running'}>"

    @property
    def pid(self) -> int | None:
        """The number of the process; None if none has started."""
        return None if self._process is None else self._process.pid

    def close(self, limit_s: float) -> bool:
        """Let the process finish, and wait for its end; return whether it has ended within the limit."""
        deadline_s = monotonic() + limit_s
        with self._lock:
            self._is_closed = True
            self._end_input()
        return self._process is None or self._has_ended.wait(max(0.0, deadline_s - monotonic()))

    def disown(self) -> None:
        """Close the pipes in a forked child: the process belongs to the parent."""
        process, self._process = self._process, None
        if process is not None:
            process.returncode = 0  # so that the copy does not wait for the parent's child
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _start(self) -> bool:
        log = os.path.join(self._run_dir, LOG)
        try:
            with open(log, "ab", opener=for_the_user) as file:
                process = subprocess.Popen(
                    [*python_command("parsl.monitoring.writer"), self._run_dir],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    bufsize=0,  # a buffer has a lock, which a forked child could not take
                    start_new_session=True,
                )
        except OSError as error:
            self._has_ended.set()
            _warn(f"The process that writes the monitoring database cannot start: {error}. {self._advice}")
            return False
        with self._lock:
            self._process = process
            if self._is_closed:
                self._end_input()
        return True

    def _end_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _listen(self) -> None:
        ended_s: deque[float] = deque(maxlen=_MAX_REPLACEMENTS + 1)
        while True:
            process = self._process
            assert process is not None
            assert process.stdout is not None
            for line in process.stdout:
                _warn(line.decode(errors="replace").strip())
            code = process.wait()
            process.stdout.close()
            if code in (0, GAVE_UP):
                break
            logger.warning("The process that writes the monitoring database has ended with code %s", code)
            ended_s.append(monotonic())
            if len(ended_s) > _MAX_REPLACEMENTS and ended_s[-1] - ended_s[0] < _WITHIN_S:
                _warn(
                    f"The process that writes the monitoring database has ended with code {code}, for the "
                    f"{len(ended_s)}th time within {_WITHIN_S / 60:g} minutes: see "
                    f"{os.path.join(self._run_dir, LOG)}. {self._advice}"
                )
                break
            if not self._start():
                break
        self._has_ended.set()

    @property
    def _advice(self) -> str:
        return f"The run continues; later, `parsl monitoring {self._run_dir}` writes its rows"


def _warn(text: str) -> None:
    logger.warning(text)
    warn_user(text, MonitoringWarning)
