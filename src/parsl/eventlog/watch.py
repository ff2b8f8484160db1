"""Everything that a live view of a run needs: its history, what is counted besides, and the answers."""

from __future__ import annotations

import os
from time import time

from parsl.eventlog import answers
from parsl.eventlog.failure_groups import FailureGroups
from parsl.eventlog.history import Follower, RunHistory, driver_lives
from parsl.eventlog.records import AttemptFailed, RunBegan, RunEnded
from parsl.eventlog.tally import Tally

_READ_BYTES = 4 * 1024 * 1024
#: How many gaps are described.
_MAX_GAPS = 3


class RunWatch:
    """Follows a run, and counts what its history does not keep. Owned by one thread.

    Args:
        path: The run directory, or the file of the log.

    Attributes:
        history: The state of the run, as far as it has been read.
        tally: What happened lately, and run times by app.
        failures: The failures by their cause.
        is_read: Whether everything that was in the log at the beginning has been read.

    Raises:
        EventLogError: There is no event log.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._follower = Follower(path)
        self.history: RunHistory = self._follower.history
        self.tally = Tally()
        self.failures = FailureGroups()
        self.is_read = False
        first, _, last = self._follower.outline
        run = first if isinstance(first, RunBegan) else None
        is_over = isinstance(last, RunEnded)
        self._standing_at_first = (
            answers.ENDED if is_over else answers.standing(self.history, driver_lives(run))
        )

    def __enter__(self) -> RunWatch:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._follower.reader.close()

    def advance(self, limit_bytes: int | None = None) -> bool:
        """Take in what is new, at most about ``limit_bytes``. Returns whether there was anything."""
        has_changed = False
        for record in self._follower.new_records(limit_bytes):
            has_changed = True
            self.tally.take(record)
            if isinstance(record, AttemptFailed):
                self.failures.take(record)
        self.is_read = self.is_read or not has_changed or self.share_read >= 1
        return has_changed

    def read_to_end(self) -> None:
        """Take in everything that is in the file now."""
        while True:
            offset = self._follower.reader.offset
            self.advance(_READ_BYTES)
            if self.share_read >= 1 or self._follower.reader.offset == offset:
                return

    @property
    def share_read(self) -> float:
        """Which part of the file has been read, from 0 to 1."""
        reader = self._follower.reader
        return min(1.0, reader.offset / reader.size) if reader.size else 1.0

    def problems(self) -> list[str]:
        """Return what the log lacks, in sentences; else what a reader of the counts may wonder about."""
        reader, history = self._follower.reader, self.history
        found = [f"{gap.records:,} records are missing: {gap.reason}." for gap in history.gaps[-_MAX_GAPS:]]
        if (others := len(history.gaps) - _MAX_GAPS) > 0:
            found.insert(0, f"The log has {others:,} more gaps before these.")
        if reader.damaged_bytes:
            found.append(f"{reader.damaged_bytes:,} bytes of the event log are damaged, and were skipped.")
        if reader.unknown_records:
            found.append(f"{reader.unknown_records:,} records cannot be read by this version of Parsl.")
        tasks = 0 if history.end is None else sum(history.end.states.values())
        if (number := tasks - history.known_tasks()) > 0:
            found.append(f"The log has no record of {number:,} of {tasks:,} tasks.")
        if not found and self.is_read and (number := answers.cut_off(history, self.failures)):
            found.append(f"{number:,} of the failed tasks had not ended when the run was over.")
        return found

    def standing(self) -> str:
        """Return the standing of the run: one of the constants of :mod:`parsl.eventlog.answers`."""
        if not self.is_read:
            return self._standing_at_first
        return answers.standing(self.history, self._follower.is_running())

    def now_s(self) -> float | None:
        """Return the present moment for the run's answers (seconds since the epoch); None if it is over."""
        return time() if self.standing() in (answers.RUNNING, answers.ELSEWHERE) else None
