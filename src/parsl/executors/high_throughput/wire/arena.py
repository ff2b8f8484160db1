"""Medium-sized arguments between processes of one host, through reused slots of one file in memory.

A worker may still read a freed slot: its manager was given up, or the task was cancelled. Each slot begins
with the id of its task, and a reader that finds another id, before or after it has read, discards the data.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

FILE_NAME = "arena"
#: Bytes of a slot; the id of its task comes first.
SLOT_BYTES = 128 * 1024
_TASK_ID = struct.Struct("<Q")
#: The largest payload of a slot, in bytes.
MAX_BYTES = SLOT_BYTES - _TASK_ID.size
#: The arena grows up to this many slots; payloads that find no free slot take another way.
MAX_SLOTS = 512
_FIRST_SLOTS = 16
_SIZE = SLOT_BYTES * MAX_SLOTS


class Arena:
    """The driver's side. Any thread may store payloads."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{FILE_NAME}"
        self._lock = threading.Lock()
        self._file = -1
        self._map: Any = None
        self._slots = 0
        #: Offsets of the free slots.
        self._free: list[int] = []

    def __repr__(self) -> str:
        return f"<Arena slots={self._slots} free={len(self._free)}>"

    def put(self, task_id: int, payload: bytes) -> tuple[int, int] | None:
        """Copy a task's payload of at most `MAX_BYTES` into a slot.

        Returns the offset of the slot and the size of the payload in bytes; None if there is no room.
        """
        try:
            at = self._free.pop()
        except IndexError:
            if not self._grow():
                return None
            return self.put(task_id, payload)
        memory = self._map
        if memory is None:
            return None  # the arena has been closed
        _TASK_ID.pack_into(memory, at, task_id)  # first, so that a late reader of the slot notices
        begin = at + _TASK_ID.size
        memory[begin : begin + len(payload)] = payload
        return at, len(payload)

    def release(self, place: tuple[int, int]) -> None:
        self._free.append(place[0])

    def _grow(self) -> bool:
        """Add slots, with memory reserved: writing to memory that the host lacks would be a fatal signal."""
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
        """Release the memory. The file is removed with its directory."""
        with self._lock:
            self._free.clear()
            self._slots = MAX_SLOTS  # so that it never grows again
            if self._map is not None:
                os.close(self._file)
                self._map = None  # unmapped once no thread writes into it


class ArenaReader:
    """The worker's side. Owned by the worker's only thread."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{FILE_NAME}"
        self._view: memoryview | None = None

    def read(self, task_id: int, place: tuple[int, int], load: Callable[[memoryview], Any]) -> Any:
        """Return what `load` makes of a task's payload; LookupError if the slot has another task by now."""
        if self._view is None:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._view = memoryview(mmap.mmap(file, _SIZE, prot=mmap.PROT_READ))
            finally:
                os.close(file)
        at, size = place
        begin = at + _TASK_ID.size
        self._check(self._view, task_id, at)
        try:
            return load(self._view[begin : begin + size])
        finally:
            self._check(self._view, task_id, at)

    @staticmethod
    def _check(view: memoryview, task_id: int, at: int) -> None:
        (owner,) = _TASK_ID.unpack_from(view, at)
        if owner != task_id:
            raise LookupError(
                f"the arguments of task {task_id} are gone: for the driver, the task has already ended"
            )
