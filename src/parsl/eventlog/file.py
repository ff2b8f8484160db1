"""The file of an event log: frames that one process appends, and that any number of processes read meanwhile.

The file begins with :data:`HEADER`. A frame is a head (mark, kind, size of the record in bytes, CRC-32 of the
record) and an encoded record. A reader that meets damage continues with the next intact frame, and counts the
bytes in between. An incomplete frame at the end is one that is being written, or the writer's last.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from errno import EEXIST
from time import time
from typing import Any, NamedTuple
from zlib import crc32

from parsl.common.rundirs import numbered_rundirs
from parsl.errors import ParslError
from parsl.eventlog import records
from parsl.eventlog.records import Gap, Record, RunBegan, Summary

HEADER = b"parsl-events-1\n"
_HEAD = struct.Struct("<3sBII")
_MARK = b"\xf5EV"
_SUMMARY = 1
_OTHER = 0
_MAX_RECORD_BYTES = 64 * 1024 * 1024
_READ_BYTES = 4 * 1024 * 1024
#: How much is written at once, about. A write gives up Python's lock, and has to wait for it afterwards.
_WRITE_BYTES = 16 * 1024 * 1024
#: How much is checked in one call, so that the library keeps Python's lock.
_CHECKED_BYTES = 4096
#: How many pieces Linux writes at once (IOV_MAX).
_MAX_PIECES = 1024
_WRITE_PIECES = 8 * _MAX_PIECES

Buffer = bytes | memoryview


class EventLogError(ParslError):
    """An event log cannot be read."""


class EventFile:
    """Appends records to the event log of a run. Not thread-safe.

    Writing never raises. While it is impossible (full disk), records are dropped and counted; the first one
    that can be written again is a :class:`Gap <parsl.eventlog.records.Gap>`.

    Args:
        path: The file, which must not exist.

    Raises:
        OSError: The file cannot be created.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if os.path.exists(path):
            raise FileExistsError(EEXIST, os.strerror(EEXIST), path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        unfinished = f"{path}.new"
        self._fd = os.open(unfinished, flags, 0o644)
        self._size = 0
        self._gap: Gap | None = None
        #: Frames in pieces.
        self._waiting: list[Buffer] = []
        self._waiting_bytes = self._waiting_records = 0
        if (error := self._append([HEADER])) is not None:
            self.close()
            raise error
        os.rename(unfinished, path)  # a reader never sees the file without its header

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} {self._size} bytes>"

    def write(self, record: Record, number: int = 1) -> bool:
        """Append a record now, after those that were added. Arguments and result as for the methods below."""
        self.add(record, number)
        return self.flush()

    def add(self, record: Record, number: int = 1) -> None:
        """Append a record, usually not before :meth:`flush`. ``number`` counts as lost if that fails."""
        kind = _SUMMARY if type(record) is Summary else _OTHER
        self.add_encoded((records.encode(record),), number, kind)

    def add_encoded(self, pieces: Sequence[Buffer], number: int, kind: int = _OTHER) -> None:
        """Append a record that is encoded, in pieces, which must not change before :meth:`flush`."""
        size = sum(map(len, pieces))
        if size > _MAX_RECORD_BYTES:  # which no reader would accept
            now_s = time()
            self.add(Gap(now_s, now_s, number, f"a record of {size} bytes is too large"), number)
            return
        self._waiting += _frame(pieces, kind)
        self._waiting_bytes += _HEAD.size + size
        self._waiting_records += number
        if self._waiting_bytes >= _WRITE_BYTES or len(self._waiting) >= _WRITE_PIECES:
            self.flush()

    def flush(self) -> bool:
        """Append what has been added, all or nothing. Returns whether that has succeeded."""
        pieces, number = self._waiting, self._waiting_records
        self._waiting, self._waiting_bytes, self._waiting_records = [], 0, 0
        if self._gap is not None:
            self._gap.to_s = time()
            pieces = [*_frame((records.encode(self._gap),), _OTHER), *pieces]
        error = self._append(pieces)
        if error is None:
            self._gap = None
            return True
        if self._gap is None:
            now_s = time()
            self._gap = Gap(now_s, now_s, 0, error.strerror or str(error))
        self._gap.records += number
        return False

    def _append(self, pieces: Sequence[Buffer]) -> OSError | None:
        """Append everything or nothing."""
        size = self._size
        left = [memoryview(piece) for piece in pieces]
        try:
            while left:
                written = os.writev(self._fd, left[:_MAX_PIECES])
                size += written
                left = _without(left, written)
        except OSError as error:
            if size > self._size:
                self._cut()
            return error.with_traceback(None)  # which would keep the pieces
        self._size = size
        return None

    def _cut(self) -> None:
        """Remove a partial frame. If that fails, too, the reader skips it."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            pass

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _frame(pieces: Sequence[Buffer], kind: int) -> list[Buffer]:
    size = checksum = 0
    for piece in pieces:
        size += len(piece)
        checksum = _checksum(piece, checksum)
    return [_HEAD.pack(_MARK, kind, size, checksum), *pieces]


def _checksum(piece: Buffer, checksum: int) -> int:
    """Continue a checksum, and keep Python's lock meanwhile.

    The library gives it up for more than 5 KB. While another thread is busy, it takes 5 ms to get it back,
    and the other thread waits, too, until this one is scheduled.
    """
    view = memoryview(piece)
    for start in range(0, len(view), _CHECKED_BYTES):
        checksum = crc32(view[start : start + _CHECKED_BYTES], checksum)
    return checksum


def _without(pieces: Sequence[memoryview], written: int) -> list[memoryview]:
    """Return what is left of pieces after so many bytes."""
    for place, piece in enumerate(pieces):
        if written < len(piece):
            return [piece[written:], *pieces[place + 1 :]]
        written -= len(piece)
    return []


class Found(NamedTuple):
    """A frame within a buffer: its kind, and where its record begins and ends."""

    kind: int
    begin: int
    end: int


class Outline(NamedTuple):
    """What can be known of a log without reading all of it; None for what is missing or damaged."""

    first: Record | None
    summary: Summary | None
    last: Record | None


class EventReader:
    """Reads a log from its beginning, and what is appended to it later. Owned by one thread.

    Args:
        path: The file of the log, or the run directory.

    Attributes:
        offset: How many bytes have been read.
        size: How many bytes the file had at the last look.
        damaged_bytes: How many bytes were skipped because they are damaged.
        unknown_records: How many records of later versions were skipped.

    Raises:
        EventLogError: There is no such file, it cannot be read, or it is not an event log.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path_of(path)
        try:
            self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115
            start = self._file.read(len(HEADER))
        except OSError as error:
            raise EventLogError(_why_unreadable(self.path, error)) from error
        if start != HEADER:
            self._file.close()
            what = f"it begins with {start!r}" if start else "it is empty"
            raise EventLogError(
                f"{self.path} is not an event log that this version of Parsl reads: {what}. If another "
                "version has written it, use that one; if it is damaged, `parsl explain` may still show "
                "what has failed"
            )
        self.offset = len(start)
        self.size = self.damaged_bytes = self.unknown_records = 0
        self._rest = b""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} at {self.offset} of {self.size}>"

    def __enter__(self) -> EventReader:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, limit_bytes: int | None = None) -> Iterator[Record]:
        """Yield the records that have been appended since the last call.

        Args:
            limit_bytes: Stop after about this many bytes, if that is at least one record; None for no limit.

        Raises:
            EventLogError: The file cannot be read, or its format is of a later version.
        """
        size = _READ_BYTES if limit_bytes is None else min(_READ_BYTES, max(1, limit_bytes))
        end = None if limit_bytes is None else self.offset + limit_bytes
        has_record = False
        while end is None or self.offset < end or not has_record:
            try:
                self.size = os.fstat(self._file.fileno()).st_size
                data = self._file.read(size)
            except OSError as error:
                raise EventLogError(_why_unreadable(self.path, error)) from error
            if not data:
                return
            self.offset += len(data)
            for record in self._records(self._rest + data):
                has_record = True
                yield record

    def _records(self, data: bytes) -> Iterator[Record]:
        at = 0
        while (found := _next_frame(data, at)) is not None:
            self.damaged_bytes += found.begin - _HEAD.size - at
            at = found.end
            try:
                record = records.decode(data[found.begin : found.end])
            except records.DecodeError:
                self.unknown_records += 1
                continue
            if type(record) is RunBegan and record.format_version > records.FORMAT_VERSION:
                raise EventLogError(
                    f"{self.path} was written by Parsl {record.parsl_version}, in format "
                    f"{record.format_version}; this Parsl reads format {records.FORMAT_VERSION}. "
                    "Use that version or a later one"
                )
            yield record
        mark = data.find(_MARK, at)
        keep = mark if mark >= 0 else max(at, len(data) - len(_MARK) + 1)  # the mark may be incomplete
        self.damaged_bytes += keep - at
        self._rest = data[keep:]

    def last_summary(self) -> Summary | None:
        """Find the last totals without reading everything in between. Does not move the reader.

        Returns:
            The summary; None if the log has none yet.
        """
        return self.outline().summary

    def outline(self) -> Outline:
        """Read the first, the last, and the last totals. Does not move the reader."""
        from mmap import ACCESS_READ, mmap

        if os.fstat(self._file.fileno()).st_size <= len(HEADER):
            return Outline(None, None, None)
        with mmap(self._file.fileno(), 0, access=ACCESS_READ) as data:
            first = summary = last = None
            for found in _skip_through(data):
                first, last = first or found, found
                if found.kind == _SUMMARY:
                    summary = found
            totals = _record_in(data, summary)
            return Outline(
                _record_in(data, first),
                totals if isinstance(totals, Summary) else None,
                _record_in(data, last),
            )


def path_of(path: str | os.PathLike[str]) -> str:
    """Return the file of an event log, given it or its run directory."""
    text = os.fspath(path)
    return os.path.join(text, records.EVENT_LOG) if os.path.isdir(text) else text


def _next_frame(data: bytes, at: int) -> Found | None:
    """Find the next intact frame; None if the rest may be the beginning of one."""
    while (at := data.find(_MARK, at)) >= 0:
        found = _skip_frame(data, at)
        if found is None:  # the head is incomplete, or its size impossible
            at += 1
            continue
        if found.end > len(data):  # incomplete, or a damaged size: then an intact frame follows
            return _next_frame(data, at + 1)
        if crc32(memoryview(data)[found.begin : found.end]) == _HEAD.unpack_from(data, at)[3]:
            return found
        at += 1
    return None


def _skip_frame(data: Any, at: int) -> Found | None:
    """Return the frame at a place, unchecked; None if there is none, or it is incomplete."""
    if at + _HEAD.size > len(data):
        return None
    mark, kind, size, _ = _HEAD.unpack_from(data, at)
    if mark != _MARK or size > _MAX_RECORD_BYTES:
        return None
    begin = at + _HEAD.size
    return Found(kind, begin, begin + size)


def _skip_through(data: Any) -> Iterator[Found]:
    """Yield all complete frames, unchecked, without touching what is in them."""
    at = len(HEADER)
    while at >= 0:
        found = _skip_frame(data, at)
        if found is not None and found.end <= len(data):
            yield found
            at = found.end
        else:
            at = data.find(_MARK, at + 1)


def _record_in(data: Any, found: Found | None) -> Record | None:
    if found is None:
        return None
    try:
        record: Record = records.decode(data[found.begin : found.end])
    except records.DecodeError:
        return None
    return record


def _why_unreadable(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        directory = os.path.dirname(path) if os.path.basename(path) == records.EVENT_LOG else path
        if not os.path.isdir(directory or "."):
            return f"There is no event log {path}, and no run directory of that name"
        if runs := numbered_rundirs(directory):
            return f"{directory} is a directory of runs. Name one of them, such as {runs[-1]}"
        return (
            f"There is no event log {path}. Runs have one unless Config(event_log=False) or "
            "Config(initialize_logging=False) is set, or an earlier version of Parsl has made them"
        )
    why = f"The event log {path} cannot be read: {error.strerror or error}"
    if isinstance(error, PermissionError):
        return f"{why}. Its owner can let others read it: chmod a+r {path}"
    return why
