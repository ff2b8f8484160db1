"""Messages of several frames over a connected stream socket, without blocking and without needless copies."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import Union

Frame = Union[bytes, bytearray, memoryview]

_COUNT = struct.Struct("<I")
_BUFFER_SIZE = 256 * 1024
_MOST_FRAMES = 1 << 24
#: How many pieces one system call may gather (IOV_MAX is 1024 on Linux).
_MOST_PIECES = 512


class MessageStream:
    """One end of a socket pair that carries messages. Owned by one loop; sending needs a lock if shared.

    Layout of a message: frame count (4 bytes), each frame's length (8 bytes each), the frames; little endian.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._out: deque[memoryview] = deque()
        self._buffer = bytearray(_BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._lengths: deque[int] | None = None
        self._frames: list[Frame] = []
        self._large: bytearray | None = None
        self._large_filled = 0

    def __repr__(self) -> str:
        return f"<MessageStream fd={self.sock.fileno()} pieces_unsent={len(self._out)}>"

    def fileno(self) -> int:
        return self.sock.fileno()

    def queue(self, frames: Iterable[Frame]) -> None:
        """Put one message in line for sending."""
        views = [memoryview(frame) for frame in frames]
        header = struct.pack(f"<I{len(views)}Q", len(views), *[view.nbytes for view in views])
        if len(views) == 1 and views[0].nbytes < 65536:
            self._out.append(memoryview(header + views[0]))
            return
        self._out.append(memoryview(header))
        self._out.extend(view for view in views if view.nbytes)

    def flush(self) -> bool:
        """Write what the socket takes.

        Returns: True when nothing is left to write.
        Raises: OSError when the other end is gone.
        """
        out = self._out
        while out:
            pieces = [out[i] for i in range(min(len(out), _MOST_PIECES))]
            try:
                sent = self.sock.sendmsg(pieces)
            except BlockingIOError:
                return False
            while sent:
                first = out[0]
                if sent < first.nbytes:
                    out[0] = first[sent:]
                    break
                sent -= first.nbytes
                out.popleft()
        return True

    def receive(self) -> list[list[Frame]]:
        """Read what has come, at most about one buffer full.

        Returns: the messages that are complete now (perhaps none).
        Raises: EOFError when the other end is closed.
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

    def _receive_large(self, large: bytearray) -> None:
        with memoryview(large) as view:
            while self._large_filled < len(large):
                count = self.sock.recv_into(view[self._large_filled :])
                if count == 0:
                    raise EOFError("the other end of the message stream is closed")
                self._large_filled += count

    def _next_message(self) -> list[Frame] | None:
        if self._lengths is None and not self._take_header():
            return None
        assert self._lengths is not None
        while self._lengths:
            frame = self._take_frame(self._lengths[0])
            if frame is None:
                return None
            self._lengths.popleft()
            self._frames.append(frame)
        message, self._frames, self._lengths = self._frames, [], None
        return message

    def _take_header(self) -> bool:
        available = self._end - self._start
        if available < 4:
            return False
        (count,) = _COUNT.unpack_from(self._buffer, self._start)
        if count > _MOST_FRAMES:
            raise EOFError(f"the message stream is out of step: a message of {count} frames")
        size = 4 + 8 * count
        if size > _BUFFER_SIZE:
            raise EOFError(f"a message of {count} frames is larger than this stream reads")
        if available < size:
            return False
        self._lengths = deque(struct.unpack_from(f"<{count}Q", self._buffer, self._start + 4))
        self._start += size
        return True

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
            self._large = bytearray(length)
            self._large[:available] = self._view[self._start : self._end]
            self._large_filled = available
            self._start = self._end = 0
        return None
