"""Messages of several frames over a connected stream socket, without blocking or needless copies."""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Iterable
from itertools import islice

Frame = bytes | bytearray | memoryview

_COUNT = struct.Struct("<I")
_BUFFER_SIZE = 256 * 1024
#: More frames in a message mean that the two ends are out of step.
_MAX_FRAMES = 1 << 24
#: No message is larger than this machine's memory, in bytes.
MAX_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
#: From this size on, in bytes, frames are mapped memory: a bytearray would occupy all of its memory at once.
MAPPED_FROM_BYTES = 64 * 1024 * 1024
#: How many pieces one system call may gather (IOV_MAX is 1024 on Linux).
_MAX_PIECES = 512


class MessageStream:
    """One end of a stream of messages. One loop owns it; threads that share it need a lock to send.

    Layout of a message: frame count (4 bytes), each frame's length (8 bytes each), the frames; little endian.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._out: deque[memoryview] = deque()
        #: How many bytes have been queued, and how many of these have been written.
        self.queued_bytes = 0
        self.written_bytes = 0
        self._buffer = bytearray(_BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        #: Lengths of the frames still to come, and how many lengths are missing; None between messages.
        self._lengths: deque[int] = deque()
        self._lengths_missing: int | None = None
        self._frames: list[Frame] = []
        self._large: bytearray | memoryview | None = None
        self._large_filled = 0

    def __repr__(self) -> str:
        return f"<MessageStream fd={self.sock.fileno()} pieces_unsent={len(self._out)}>"

    def fileno(self) -> int:
        return self.sock.fileno()

    def queue(self, frames: Iterable[Frame]) -> None:
        views = [memoryview(frame) for frame in frames]
        if not views:
            raise ValueError("a message has at least one frame")
        sizes = [view.nbytes for view in views]
        header = struct.pack(f"<I{len(views)}Q", len(views), *sizes)
        self.queued_bytes += len(header) + sum(sizes)
        if len(views) == 1 and views[0].nbytes < 65536:
            self._out.append(memoryview(header + views[0]))
            return
        self._out.append(memoryview(header))
        self._out.extend(view.cast("B") for view in views if view.nbytes)

    def flush(self) -> bool:
        """Write as much as the socket accepts. Return whether nothing is left to write."""
        out = self._out
        while out:
            pieces = list(islice(out, _MAX_PIECES))
            try:
                sent = self.sock.sendmsg(pieces)
            except BlockingIOError:
                return False
            self.written_bytes += sent
            while sent:
                first = out[0]
                if sent < first.nbytes:
                    out[0] = first[sent:]
                    break
                sent -= first.nbytes
                out.popleft()
        return True

    def receive(self) -> list[list[Frame]]:
        """Read what has arrived, at most about one buffer full.

        Returns:
            The messages that are now complete, if any.

        Raises:
            EOFError: The other end is closed, or sent something that is not a message.
        """
        messages: list[list[Frame]] = []
        try:
            if self._large is not None:
                self._receive_large(self._large)
            else:
                self._make_room()
                count = self.sock.recv_into(self._view[self._end :])
                if count == 0:
                    raise EOFError("the other end of the message stream is closed")
                self._end += count
        except BlockingIOError:
            return messages
        except ConnectionResetError as error:
            raise EOFError("the other end of the message stream is gone") from error
        while (message := self._next_message()) is not None:
            messages.append(message)
        return messages

    def _make_room(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == _BUFFER_SIZE or self._start > _BUFFER_SIZE // 2:
            rest = bytes(self._view[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)

    def _receive_large(self, large: bytearray | memoryview) -> None:
        with memoryview(large) as view:
            while self._large_filled < len(large):
                count = self.sock.recv_into(view[self._large_filled :])
                if count == 0:
                    raise EOFError("the other end of the message stream is closed")
                self._large_filled += count

    def _next_message(self) -> list[Frame] | None:
        if self._lengths_missing != 0 and not self._take_header():
            return None
        while self._lengths:
            frame = self._take_frame(self._lengths[0])
            if frame is None:
                return None
            self._lengths.popleft()
            self._frames.append(frame)
        message, self._frames, self._lengths_missing = self._frames, [], None
        return message

    def _take_header(self) -> bool:
        """Read as much of the header as has arrived. Return whether that is all of it."""
        available = self._end - self._start
        missing = self._lengths_missing
        if missing is None:
            if available < 4:
                return False
            (missing,) = _COUNT.unpack_from(self._buffer, self._start)
            if not 0 < missing <= _MAX_FRAMES:
                raise EOFError(f"the message stream is out of step: a message of {missing} frames")
            self._start += 4
            available -= 4
        count = min(missing, available // 8)
        self._lengths.extend(struct.unpack_from(f"<{count}Q", self._buffer, self._start))
        self._start += 8 * count
        self._lengths_missing = missing - count
        if not self._lengths_missing and sum(self._lengths) > MAX_BYTES:
            raise EOFError(f"the message stream is out of step: a message of {sum(self._lengths):,} bytes")
        return missing == count

    def _take_frame(self, length: int) -> Frame | None:
        if self._large is not None:
            if self._large_filled < length:
                return None
            large, self._large, self._large_filled = self._large, None, 0
            return large
        available = self._end - self._start
        if available >= length:
            frame = bytes(self._view[self._start : self._start + length])
            self._start += length
            return frame
        if length > _BUFFER_SIZE // 2:
            self._large = _allocate(length)
            self._large[:available] = self._view[self._start : self._end]
            self._large_filled = available
            self._start = self._end = 0
        return None


def _allocate(length: int) -> bytearray | memoryview:
    """Return memory for a frame. A huge frame uses it only as data arrives: its length may be wrong."""
    try:
        if length < MAPPED_FROM_BYTES:
            return bytearray(length)
        import mmap

        return memoryview(mmap.mmap(-1, length, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except (MemoryError, OverflowError, OSError, ValueError) as error:
        raise EOFError(f"the message stream has a frame of {length} bytes, too large to allocate") from error
