"""The checkpoint file of this run, to which results are appended."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from logging import getLogger

from parsl import validate
from parsl.common.notices import warn_user

logger = getLogger(__name__)

#: The name of the file in a checkpoint directory.
FILE_NAME = "tasks.pkl"


class CheckpointWarning(UserWarning):
    """The checkpoint lacks results that it should contain."""


class CheckpointFile:
    """Appends records to a file that no other process writes. Any thread may call it.

    Records that :meth:`write` has written survive the end of this process by any signal, because the
    operating system has them. They survive a power failure only after :meth:`sync`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._write_lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._fd: int | None = None
        self._end = 0
        self._written = 0
        self._has_failed = False

    def create(self) -> None:
        """Create the file, so that a run without results also leaves a checkpoint that loads.

        An error is a warning: the next :meth:`write` tries again.
        """
        with self._write_lock:
            try:
                self._open()
            except OSError as error:
                self._warn_of_failure(error, 0)

    def add(self, *records: bytes) -> None:
        """Queue records for the next :meth:`write`."""
        self._waiting.extend(records)

    def write(self) -> None:
        """Write all queued records at once. After an error, warn and keep the records for the next call."""
        with self._write_lock:  # also without own records: another thread may be writing them just now
            waiting = self._waiting
            if not waiting:
                return
            records = [waiting.popleft() for _ in range(len(waiting))]  # other threads only append
            try:
                self._append(records)
            except OSError as error:
                self._warn_of_failure(error, len(records))
                waiting.extendleft(reversed(records))
            else:
                self._written += len(records)
                self._has_failed = False

    def sync(self) -> None:
        """Make the written records survive a power failure, too."""
        with self._write_lock:
            if self._fd is not None:
                os.fsync(self._fd)

    def close(self) -> None:
        """Close the file. Records that are still queued are lost."""
        with self._write_lock:
            if self._fd is not None:
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    logger.error("Checkpoint %s may be incomplete: %s", self.path, error)
                os.close(self._fd)
                self._fd = None

    def _open(self) -> int:
        if self._fd is None:
            # As readable as the rest of the run's directory, whose parents may be private.
            os.makedirs(os.path.dirname(self.path), 0o755, exist_ok=True)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._end = os.fstat(self._fd).st_size
        return self._fd

    def _append(self, records: Sequence[bytes]) -> None:
        fd = self._open()
        rest = memoryview(b"".join(records))
        size = len(rest)
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            os.ftruncate(fd, self._end)  # the next record must not follow half of one
            raise
        self._end += size

    def _warn_of_failure(self, error: OSError, count: int) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        what = f"{count} results could not be written to checkpoint" if count else "Cannot create checkpoint"
        text = (
            f"{what} {self.path}: {error.strerror or error}. "
            "Results stay in memory until a later attempt succeeds. If the run is killed before that, the "
            "next run executes their tasks again"
        )
        logger.error("%s", text)
        warn_user(text, CheckpointWarning)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {self._written} written, {len(self._waiting)} waiting>"


class PeriodicCheckpoints:
    """Calls ``write`` at regular intervals, in a thread of its own, and logs its errors."""

    def __init__(self, write: Callable[[], object], period_s: float) -> None:
        self._write = write
        self._period_s = period_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. No checkpoint is being written when this returns."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            try:
                self._write()
            except BaseException:  # a result's __reduce__ may call sys.exit()
                logger.exception(
                    "The periodic checkpoint has failed. The next attempt is in %g s", self._period_s
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} every {self._period_s:g} s>"


def period_in_seconds(owner: object, period: object) -> float:
    """Parse a period that is written as ``'HH:MM:SS'``; ParameterError for another form, or zero."""
    text = validate.text(owner, "checkpoint_period", period)
    parts = text.strip().split(":")
    total_s = 0
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
        hours, minutes, seconds = map(int, parts)
        total_s = hours * 3600 + minutes * 60 + seconds
    if total_s == 0:
        expected = "hours, minutes and seconds, such as '00:10:00', and more than zero"
        validate.wrong_value(owner, "checkpoint_period", text, expected)
    return float(total_s)
