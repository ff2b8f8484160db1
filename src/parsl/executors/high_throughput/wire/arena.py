"""Middle-sized arguments between processes of one host: through memory that is used again and again.

A file for each (see `spool`) costs the making and freeing of pages, and system calls in which other threads
of the driver take the interpreter. Here the driver copies the pickled arguments into a slot of one file in
memory, and the worker unpickles them from there. A slot is free again when its task has ended for the driver.
Somebody may still be about to read it: a worker whose manager was given up, or is yet to hear that the task
was cancelled. Each slot says whose it is; who finds another's number, before or afterwards, has read nothing.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

#: Bytes of a slot; the number of its task comes first.
SLOT_BYTES = 128 * 1024
_NUMBER = struct.Struct("<Q")
#: Most bytes that a slot takes.
MAX_BYTES = SLOT_BYTES - _NUMBER.size
#: The arena grows up to so many slots; what finds none free travels another way.
MAX_SLOTS = 512
_FIRST_SLOTS = 16
_SIZE = SLOT_BYTES * MAX_SLOTS


def _path(directory: str) -> str:
    return f"{directory}/arena"


class Arena:
    """The driver's side. Any thread may put something in.

    Args:
        directory: the spool's; the arena goes with it.
    """

    def __init__(self, directory: str) -> None:
        self._path = _path(directory)
        self._lock = threading.Lock()
        self._file = -1
        self._map: Any = None
        #: Slots that there are, and where those begin that are free.
        self._slots = 0
        self._free: list[int] = []

    def __repr__(self) -> str:
        return f"<Arena slots={self._slots} free={len(self._free)}>"

    def put(self, task_id: int, payload: bytes) -> tuple[int, int] | None:
        """Copy a task's payload of at most MAX_BYTES into a slot.

        Returns: where it begins, and how many bytes it has; None if there is no room.
        """
        try:
            at = self._free.pop()
        except IndexError:
            if not self._grow():
                return None
            return self.put(task_id, payload)
        memory = self._map
        if memory is None:
            return None  # it has been closed
        _NUMBER.pack_into(memory, at, task_id)  # first: who reads what was here before must see it
        begin = at + _NUMBER.size
        memory[begin : begin + len(payload)] = payload
        return at, len(payload)

    def release(self, place: tuple[int, int]) -> None:
        """The task that has this place has ended."""
        self._free.append(place[0])

    def _grow(self) -> bool:
        """Make more slots, with memory of their own: one that is not there would be a deadly signal later."""
        with self._lock:
            if self._free:
                return True
            slots = min(max(_FIRST_SLOTS, 2 * self._slots), MAX_SLOTS)
            if slots == self._slots:
                return False
            try:
                if self._map is None:
                    self._open()
                begin = self._slots * SLOT_BYTES
                os.posix_fallocate(self._file, begin, slots * SLOT_BYTES - begin)
            except OSError:
                return False
            self._free += range((slots - 1) * SLOT_BYTES, begin - 1, -SLOT_BYTES)
            self._slots = slots
            return True

    def _open(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, _SIZE)
            self._map = mmap.mmap(file, _SIZE)
        except OSError:
            os.close(file)
            os.unlink(self._path)
            raise
        self._file = file

    def close(self) -> None:
        """Let go of the memory. The file goes with its directory."""
        with self._lock:
            self._free.clear()
            self._slots = MAX_SLOTS  # there will be no more
            if self._map is not None:
                os.close(self._file)
                self._map = None  # unmapped when nobody writes into it any more


class ArenaReader:
    """A worker's side.

    Args:
        directory: the spool's.
    """

    def __init__(self, directory: str) -> None:
        self._path = _path(directory)
        self._view: memoryview | None = None

    def __repr__(self) -> str:
        return f"<ArenaReader {self._path}>"

    def read(self, task_id: int, place: tuple[int, int], load: Callable[[memoryview], Any]) -> Any:
        """What a task's payload is, as `load` makes it of its bytes.

        Raises: LookupError when the slot is another task's by now; OSError when the arena is gone.
        """
        if self._view is None:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._view = memoryview(mmap.mmap(file, _SIZE, prot=mmap.PROT_READ))
            finally:
                os.close(file)
        at, size = place
        begin = at + _NUMBER.size
        self._check(task_id, at)
        try:
            return load(self._view[begin : begin + size])
        finally:
            self._check(task_id, at)

    def _check(self, task_id: int, at: int) -> None:
        assert self._view is not None
        (owner,) = _NUMBER.unpack_from(self._view, at)
        if owner != task_id:
            raise LookupError(
                f"the arguments of task {task_id} are gone: it has ended, as the driver sees it"
            )
