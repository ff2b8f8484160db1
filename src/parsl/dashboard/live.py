"""A run that is being looked at: a thread follows its log, requests get answers about it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, time
from typing import Any

from parsl.dashboard.dependencies import Dependencies
from parsl.dashboard.task_table import TaskTable
from parsl.eventlog import answers
from parsl.eventlog.file import EventLogError, path_of
from parsl.eventlog.history import RunHistory
from parsl.eventlog.watch import RunWatch

logger = logging.getLogger(__name__)

#: How much of the log is taken in at once (bytes); requests wait for that long.
_SLICE_BYTES = 1_000_000
#: How often the file is checked (s) while the run is watched.
_LOOK_PERIOD_S = 0.5
#: The file is no longer checked when the last request is older than this (s).
_IDLE_S = 30.0
#: At most this many answers are kept until the run changes.
_MAX_ANSWERS = 200


class Known:
    """What the answers about a run are computed from. Valid while its lock is held."""

    def __init__(self, path: str) -> None:
        self._file = path_of(path)
        self.watch = RunWatch(path)
        self.dependencies = Dependencies()
        self._table: TaskTable | None = None

    @property
    def is_read(self) -> bool:
        """Whether the log has been read up to its end at least once."""
        return self.watch.is_read

    @property
    def history(self) -> RunHistory:
        """The state of the run."""
        return self.watch.history

    @property
    def table(self) -> TaskTable:
        """The tasks of the run; copied when first used after a change."""
        if self._table is None:
            self._table = TaskTable(self.history)
        return self._table

    def forget_table(self) -> None:
        """The run has changed."""
        self._table = None

    def standing(self) -> str:
        """Return the standing of the run; before its log has been read, from its last record."""
        return self.watch.standing()

    def now_s(self) -> float | None:
        """Return the present moment (seconds since the epoch); None if the run is over."""
        return time() if self.standing() in (answers.RUNNING, answers.ELSEWHERE) else None

    def began_s(self) -> float:
        """Return when the run began (seconds since the epoch)."""
        if self.history.run is not None:
            return self.history.run.began_s
        table = self.table
        return float(table.invoked_s.min()) if len(table) else 0.0

    def until_s(self) -> float:
        """Return the present moment, or the last known one of a run that is over (s since the epoch)."""
        if self.standing() == answers.RUNNING:
            return time()
        if self.standing() == answers.ELSEWHERE:
            return max(os.path.getmtime(self._file), self.began_s())
        return max(self.history.last_s, self.watch.tally.last_s, self.began_s())


class LiveRun:
    """Follows a run in a thread of its own, while requests arrive.

    Args:
        path: The run directory.

    Attributes:
        path: The same.

    Raises:
        EventLogError: The run has no event log, or it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.version = 0
        self._file_id = _file_id(path)
        self._known = Known(path)
        self._answers: dict[object, tuple[object, Any]] = {}
        self._lock = threading.Lock()
        self._next = threading.Lock()
        self._touch = threading.Event()
        self._stop = threading.Event()
        self._touched = monotonic()
        self._error = ""
        self._thread = threading.Thread(target=self._follow, name=f"follow-{path}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} version {self.version}>"

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._touch.set()
        self._thread.join()
        self._known.watch.close()

    @property
    def is_replaced(self) -> bool:
        """Whether another run has taken the place of this one."""
        return _file_id(self.path) not in (None, self._file_id)

    @property
    def idle_s(self) -> float:
        """How long ago the last request was (s)."""
        return monotonic() - self._touched

    def answer(self, key: object, compute: Callable[[Known], Any], period_s: float = 5.0) -> Any:
        """Return the answer to a question, computed again only if the run or its age has changed.

        Args:
            key: What identifies the question.
            compute: Computes the answer; must not keep what it is passed.
            period_s: How long an answer about a run in progress is valid (s).

        Raises:
            EventLogError: The log cannot be read any further.
        """
        self._touched = monotonic()
        self._touch.set()
        with self._turn():
            if self._error:
                raise EventLogError(self._error)
            now_s = self._known.now_s()
            state = (self.version, self._known.standing(), now_s and now_s // period_s)
            found = self._answers.get(key)
            if found is None or found[0] != state:
                if len(self._answers) >= _MAX_ANSWERS:
                    self._answers.clear()
                found = self._answers[key] = (state, compute(self._known))
            return found[1]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock; a waiting thread gets it before the one that has just released it."""
        with self._next:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._touch.clear()
            try:
                while self._take_slice() and not self._stop.is_set():
                    pass
            except Exception as error:
                if not isinstance(error, EventLogError):
                    logger.exception("reading %s failed", self.path)
                self._error = str(error) or type(error).__name__
                return
            self._stop.wait(_LOOK_PERIOD_S)
            if self.idle_s > _IDLE_S:
                self._touch.wait()

    def _take_slice(self) -> bool:
        """Take in the next part of the log. Returns whether there was one."""
        with self._turn():
            known = self._known
            was_read = known.is_read
            has_changed = known.watch.advance(_SLICE_BYTES)
            if has_changed:
                known.dependencies.take(known.history)
                known.forget_table()
            if has_changed or not was_read:
                self.version += 1
            return has_changed


def _file_id(path: str) -> tuple[int, int] | None:
    """Return what identifies the log in a run directory; None if there is none."""
    try:
        status = os.stat(path_of(path))
    except OSError:
        return None
    return status.st_dev, status.st_ino
