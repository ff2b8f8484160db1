"""Packets between a manager and a worker: one record each, large payloads in fragments behind it.

The channel is a SOCK_SEQPACKET pair: the operating system keeps packets whole and delivers each to exactly
one reader. That is what lets a manager read back, from a duplicate of the worker's end, what the worker has
not begun.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

Buffer = bytes | bytearray | memoryview

#: Largest packet, in bytes: fits the default socket buffer of Linux (212,992 bytes) with its bookkeeping.
PACKET_LIMIT = 128 * 1024


def make_pair() -> tuple[socket.socket, socket.socket]:
    """The manager's and the worker's end of a new channel; the manager's does not block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PACKET_LIMIT)
    ours.setblocking(False)
    return ours, theirs


def fragments(frames: Sequence[Buffer]) -> list[memoryview]:
    """The packets that carry `frames` one after the other; none spans two frames."""
    packets = []
    for frame in frames:
        view = memoryview(frame)
        packets += [view[at : at + PACKET_LIMIT] for at in range(0, view.nbytes, PACKET_LIMIT)]
    return packets


class PacketSender:
    """Sends packets without blocking; what the socket does not take at once waits here in order."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.waiting: deque[Buffer] = deque()

    def send(self, head: bytes, frames: Sequence[Buffer] = ()) -> None:
        if not frames and not self.waiting:
            try:
                self._sock.send(head)
                return
            except BlockingIOError:
                pass
        self.waiting.append(head)
        self.waiting.extend(fragments(frames))
        self.flush()

    def flush(self) -> bool:
        """Returns: True when nothing waits any more."""
        while self.waiting:
            try:
                self._sock.send(self.waiting[0])
            except BlockingIOError:
                return False
            self.waiting.popleft()
        return True


class FrameCollector:
    """Puts fragments together again: the frames that a record has announced by their sizes."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.frames = [bytearray(size) for size in sizes]
        self._at = 0
        self._filled = 0
        self._skip_full()

    @property
    def is_complete(self) -> bool:
        return self._at == len(self.frames)

    def receive(self, sock: socket.socket) -> None:
        """Read one fragment into its place.

        Raises: EOFError when the other end is closed; BlockingIOError when nothing has come.
        """
        frame = self.frames[self._at]
        count = sock.recv_into(memoryview(frame)[self._filled :])
        if count == 0:
            raise EOFError("the channel was closed in the middle of a message")
        self._filled += count
        self._skip_full()

    def _skip_full(self) -> None:
        while self._at < len(self.frames) and self._filled == len(self.frames[self._at]):
            self._at += 1
            self._filled = 0


def send_blocking(sock: socket.socket, head: bytes, frames: Sequence[Any] = ()) -> None:
    """The worker's way of sending: waits until the manager has taken all."""
    sock.send(head)
    for packet in fragments(frames):
        sock.send(packet)
