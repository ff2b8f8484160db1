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

CHUNK_BYTES = 1 << 13
#: A longer pickle is read only when a task needs its result.
_CHECKED_AT_ONCE_BYTES = 1 << 20


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


def decode_header(data: Buffer) -> Header | None:
    """Read a header; None if there is no whole one. BadCheckpoint: a later version of Parsl wrote it."""
    if len(data) < HEADER_BYTES:
        return None
    prefix, magic, version, key, length, crc = _HEADER.unpack_from(data)
    own_crc, pop = _TAIL.unpack_from(data, _HEADER.size)
    if (prefix, magic, pop) != (_PREFIX, _MAGIC, _POP) or crc32(data[: _HEADER.size]) != own_crc:
        return None
    if version != VERSION:
        raise BadCheckpoint(
            f"its records are of version {version}; this Parsl reads version {VERSION}. Use the Parsl that "
            "wrote it, or leave it out of checkpoint_files"
        )
    return Header(key, length, crc)


class Scan:
    """Finds the whole records in a file of ours.

    ``damaged_bytes`` counts the bytes read so far that are in no whole record.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.damaged_bytes = 0

    def __iter__(self) -> Generator[tuple[bytes, int], None, None]:
        """Yield the key and the position of each record."""
        at = self._stream.seek(0)
        while head := self._stream.read(HEADER_BYTES):
            header = decode_header(head)
            if header is not None and self._is_whole(header):
                yield header.key, at
                at += HEADER_BYTES + header.length
            else:
                found = self._find_signature(at + 1)
                self.damaged_bytes += found - at
                at = self._stream.seek(found)

    def _is_whole(self, header: Header) -> bool:
        """Whether the pickle that begins here is whole; moves the stream to its end."""
        if header.length <= _CHECKED_AT_ONCE_BYTES:
            return header.fits(self._stream.read(header.length))
        end = self._stream.tell() + header.length
        size = self._stream.seek(0, 2)
        return end <= size and self._stream.seek(end) == end

    def _find_signature(self, at: int) -> int:
        """Return where the next record seems to begin: at ``at`` or later; without one, the file's end."""
        self._stream.seek(at)
        data = b""
        while more := self._stream.read(CHUNK_BYTES):
            data += more
            found = data.find(SIGNATURE)
            if found >= 0:
                return at + found
            done = max(0, len(data) - len(SIGNATURE) + 1)
            at, data = at + done, data[done:]
        return at + len(data)


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
