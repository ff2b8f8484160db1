"""The records of a checkpoint file.

A file is a stream of pickled dicts, as upstream Parsl writes them: ``pickle.load`` reads one record after the
other. A pickle does not show where it ends, or whether it is whole. So each record begins with a header that
a pickle machine reads as a byte string and drops::

    PROTO 5 | SHORT_BINBYTES 41 | header | POP | pickle of {"hash", "exception", "result"}

    header: magic (8), version (1), hash of the call (16), length of the pickle (8), its CRC (4),
            CRC of all this (4)

The header distinguishes a whole record from one that was cut off anywhere when its process ended. It also
lets a reader find millions of records without unpickling any of them.
"""

from __future__ import annotations

from binascii import unhexlify
from operator import eq
from pickle import dumps
from struct import Struct
from zlib import crc32

from parsl.vocabulary.dataflow_errors import BadCheckpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, BinaryIO

    Buffer = bytes | bytearray | memoryview

_MAGIC = b"PrslMemo"
VERSION = 1
_PREFIX = b"\x80\x05C\x29"
_HEADER = Struct(">4s8sB16sQI")  # prefix, magic, version, hash, length of the body, CRC of the body
_TAIL = Struct(">Ic")  # CRC of what is before it, POP
_POP = b"0"
_pack_header = _HEADER.pack
_pack_tail = _TAIL.pack

#: The size of what precedes the pickle of a record.
HEADER_BYTES = _HEADER.size + _TAIL.size
#: The first bytes of a record.
SIGNATURE = _PREFIX + _MAGIC
#: The protocol of the results' pickles. It copies large buffers less often than older protocols.
PROTOCOL = 5

CHUNK_BYTES = 1 << 20
#: A longer pickle is read only when a task needs its result.
_CHECKED_AT_ONCE_BYTES = 1 << 16


def is_signature(start: bytes) -> bool:
    """Return whether the first bytes of a file are those of a record, even if damaged or cut off.

    Upstream's records, which have no checksums, agree with the signature in two bytes at most.
    """
    equal: int = sum(map(eq, start, SIGNATURE))
    return 2 * equal >= len(start)


def encode_record(hashsum: str, result: object) -> bytes:
    """Return the record of a result, of the call with a hash of 32 hexadecimal digits."""
    record = {"hash": hashsum, "exception": None, "result": result}
    try:
        return frame(hashsum, dumps(record, PROTOCOL))
    except Exception:  # cloudpickle pickles by value what cannot be pickled by reference
        import cloudpickle

        return frame(hashsum, cloudpickle.dumps(record, PROTOCOL))


def frame(hashsum: str, body: bytes) -> bytes:
    """Put a header before the pickle of a record."""
    head = _pack_header(_PREFIX, _MAGIC, VERSION, unhexlify(hashsum), len(body), crc32(body))
    return head + _pack_tail(crc32(head), _POP) + body


class Header:
    """The header of a record: the hash of the call (16 bytes), and size and checksum of the pickle."""

    __slots__ = ("crc", "key", "length")

    def __init__(self, key: bytes, length: int, crc: int) -> None:
        self.key, self.length, self.crc = key, length, crc

    def fits(self, body: Buffer) -> bool:
        """Whether ``body`` is the pickle that was written."""
        return len(body) == self.length and crc32(body) == self.crc


def decode_header(data: Buffer, at: int = 0) -> Header | None:
    """Read a header; None if there is no whole one. BadCheckpoint: a later version of Parsl wrote it."""
    if len(data) - at < HEADER_BYTES:
        return None
    prefix, magic, version, key, length, crc = _HEADER.unpack_from(data, at)
    own_crc, pop = _TAIL.unpack_from(data, at + _HEADER.size)
    if (prefix, magic, pop) != (_PREFIX, _MAGIC, _POP) or crc32(data[at : at + _HEADER.size]) != own_crc:
        return None
    if version != VERSION:
        raise BadCheckpoint(
            f"its records are of version {version}; this Parsl reads version {VERSION}. Use the Parsl that "
            "wrote it, or leave it out of checkpoint_files"
        )
    return Header(key, length, crc)


class Scan:
    """Finds the whole records in a file of ours, from ``start``. The stream may be at any position.

    ``damaged_bytes`` counts the bytes read so far that are in no whole record.
    """

    def __init__(self, stream: BinaryIO, start: int = 0) -> None:
        self._stream = stream
        self._data = b""
        #: The position of the data in the file, and of the next record in the data.
        self._base, self._at = start, 0
        self.damaged_bytes = 0
        stream.seek(start)

    @property
    def end(self) -> int:
        return self._base + self._at

    def __iter__(self) -> Generator[tuple[bytes, int], None, None]:
        """Yield the key and the position of each record."""
        while self._have(HEADER_BYTES):
            header = decode_header(self._data, self._at)
            if header is None or not self._is_whole(header):
                if not self._skip_damage():
                    return
                continue
            yield header.key, self.end
            self._advance(HEADER_BYTES + header.length)
        self.damaged_bytes += len(self._data) - self._at

    def _have(self, count: int) -> bool:
        """Read until ``count`` bytes are there. False: the file ends before that."""
        missing = count - (len(self._data) - self._at)
        if missing <= 0:
            return True
        more = self._stream.read(max(missing, CHUNK_BYTES))
        self._data = self._data[self._at :] + more
        self._base += self._at
        self._at = 0
        return len(more) >= missing

    def _is_whole(self, header: Header) -> bool:
        size = HEADER_BYTES + header.length
        if header.length > _CHECKED_AT_ONCE_BYTES and size > len(self._data) - self._at:
            position = self._stream.tell()
            end = self._stream.seek(0, 2)
            self._stream.seek(position)
            return self.end + size <= end
        if not self._have(size):
            return False
        begin = self._at + HEADER_BYTES
        return header.fits(self._data[begin : begin + header.length])

    def _advance(self, count: int) -> None:
        left = len(self._data) - self._at
        if count <= left:
            self._at += count
            return
        self._base = self._stream.seek(self._base + self._at + count)
        self._data, self._at = b"", 0

    def _skip_damage(self) -> bool:
        """Continue at what looks like the next record. False: there is none."""
        self._at += 1
        self.damaged_bytes += 1
        while True:
            found = self._data.find(SIGNATURE, self._at)
            if found >= 0:
                self.damaged_bytes += found - self._at
                self._at = found
                return True
            keep = max(self._at, len(self._data) - len(SIGNATURE) + 1)
            self.damaged_bytes += keep - self._at
            self._at = keep
            if not self._have(len(SIGNATURE)):
                self.damaged_bytes += len(self._data) - self._at
                self._at = len(self._data)
                return False


def read_record(stream: Any, position: int, key: bytes) -> bytes | None:
    """Return the pickle of a record; None if the record is damaged, or has another hash."""
    from os import pread

    fd = stream.fileno()
    header = decode_header(pread(fd, HEADER_BYTES, position))
    if header is None or header.key != key:
        return None
    body = pread(fd, header.length, position + HEADER_BYTES)
    while 0 < len(body) < header.length:  # one read returns at most 2 GiB
        more = pread(fd, header.length - len(body), position + HEADER_BYTES + len(body))
        if not more:
            return None
        body += more
    return body if header.fits(body) else None
