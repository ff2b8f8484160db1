"""The runs that the dashboard shows: the directories of one parent, or a single one."""

from __future__ import annotations

import os
import threading

from parsl.common.rundirs import numbered_rundirs
from parsl.dashboard.live import LiveRun
from parsl.eventlog import answers
from parsl.eventlog.file import path_of
from parsl.eventlog.overview import RunOverview, overview

#: At most this many runs are kept in memory (about 200 MB for a million tasks each).
_MAX_LIVE = 3
#: A run is forgotten only after it has not been looked at for this long (s).
_KEEP_S = 60.0
#: A list shows at most this many runs, the newest.
_MAX_LISTED = 200


#: The overview of a run with this standing does not change while its file stays the same.
_OVER = (answers.ENDED, answers.LOST)


class Runs:
    """Finds runs by name, and keeps those that are being looked at. Thread-safe.

    Args:
        path: The directory of a run, or of several runs (``runinfo``).

    Attributes:
        path: The absolute path.
        single: The name of the run if ``path`` is one; otherwise empty.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        is_run = os.path.exists(path_of(self.path)) and os.path.isdir(self.path)
        self.single = os.path.basename(self.path) if is_run else ""
        self._overviews: dict[str, tuple[object, RunOverview]] = {}
        self._live: dict[str, LiveRun] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {len(self._live)} live>"

    def names(self) -> list[str]:
        """Return the names of the runs, the newest first."""
        if self.single:
            return [self.single]
        return [os.path.basename(run) for run in reversed(numbered_rundirs(self.path))]

    def directory(self, name: str) -> str:
        """Return the directory of a run.

        Raises:
            KeyError: There is no such run.
        """
        if name not in self.names():
            raise KeyError(name)
        return self.path if self.single else os.path.join(self.path, name)

    def listed(self) -> tuple[list[RunOverview], int]:
        """Return the newest runs, and how many there are."""
        names = self.names()
        return [self._overview(self.directory(name)) for name in names[:_MAX_LISTED]], len(names)

    def _overview(self, directory: str) -> RunOverview:
        """Return a run in brief; if its file has not changed and it is over, the same as before."""
        try:
            status = os.stat(path_of(directory))
        except OSError:
            return overview(directory)
        stamp = (status.st_size, status.st_mtime_ns)
        found = self._overviews.get(directory)
        if found is None or found[0] != stamp or found[1].standing not in _OVER:
            found = self._overviews[directory] = (stamp, overview(directory))
        return found[1]

    def live(self, name: str) -> LiveRun:
        """Return a run to look at.

        Raises:
            KeyError: There is no such run.
            EventLogError: It has no event log, or it cannot be read.
        """
        with self._lock:
            run = self._live.get(name)
            if run is not None and run.is_replaced:
                self._live.pop(name).close()
                run = None
            if run is None:
                directory = self.directory(name)
                self._forget_idle()
                run = self._live[name] = LiveRun(directory)
            return run

    def _forget_idle(self) -> None:
        by_idleness = sorted(self._live, key=lambda name: -self._live[name].idle_s)
        for name in by_idleness[: max(0, len(self._live) + 1 - _MAX_LIVE)]:
            if self._live[name].idle_s > _KEEP_S:
                self._live.pop(name).close()

    def close(self) -> None:
        """Forget all runs, and end their threads."""
        with self._lock:
            while self._live:
                self._live.popitem()[1].close()
