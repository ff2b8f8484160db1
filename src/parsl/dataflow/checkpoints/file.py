"""The checkpoint file of this run, to which results are added."""

from __future__ import annotations

import os
import threading
from collections import deque
from logging import getLogger

from parsl.common.notices import warn_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

logger = getLogger(__name__)

_MODE = 0o644
#: Other users' directories may be private; the checkpoint is as readable as the rest of the run's.
_DIRECTORY_MODE = 0o755


class CheckpointWarning(UserWarning):
    """Results are not in the checkpoint that ought to be."""


class CheckpointFile:
    """Adds records to a file that nobody else writes to. Any thread may call it.

    What :meth:`write` has returned from survives the end of this process by whatever signal: it is the
    operating system's then. It need not survive a power failure of the machine; after :meth:`sync` it does.

    Args:
        path: The file; it and its directory are made when there is something to write.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._write_lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._fd: int | None = None
        self._end = 0
        self._written = 0
        self._has_failed = False

    def add(self, record: bytes) -> None:
        """Have a record written with the next :meth:`write`."""
        self._waiting.append(record)

    def add_all(self, records: Sequence[bytes]) -> None:
        """Have records written with the next :meth:`write`."""
        self._waiting.extend(records)

    def write(self) -> None:
        """Write all that was added, in one go. Errors are told, and the records kept for the next time."""
        with self._write_lock:  # also with nothing to do: another thread may be just writing it
            waiting = self._waiting
            records = [waiting.popleft() for _ in range(len(waiting))]  # others may only add to it
            if not records:
                return
            try:
                self._append(records)
            except OSError as error:
                self._say_failed(error, len(records))
                waiting.extendleft(reversed(records))
            else:
                self._written += len(records)
                self._has_failed = False

    def sync(self) -> None:
        """Have what is written survive the end of the machine, too."""
        with self._write_lock:
            if self._fd is not None:
                os.fsync(self._fd)

    def close(self) -> None:
        """Close the file; what is still waiting is lost."""
        with self._write_lock:
            if self._fd is not None:
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    logger.error("Checkpoint %s may be incomplete: %s", self.path, error)
                os.close(self._fd)
                self._fd = None

    def _append(self, records: Sequence[bytes]) -> None:
        if self._fd is None:
            os.makedirs(os.path.dirname(self.path), _DIRECTORY_MODE, exist_ok=True)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
            self._end = os.fstat(self._fd).st_size
        rest = memoryview(b"".join(records))
        size = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            # No half record before the next one.
            os.ftruncate(self._fd, self._end)
            raise
        self._end += size

    def _say_failed(self, error: OSError, count: int) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        text = (
            f"{count} results could not be written to checkpoint {self.path}: {error.strerror or error}. "
            "They stay in memory, and are written when that is possible again; should the run be killed "
            "before, their tasks run again in the next one"
        )
        logger.error("%s", text)
        warn_user(text, CheckpointWarning)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {self._written} written, {len(self._waiting)} waiting>"
