"""Packets between a manager and a worker: one record each, followed by large payloads in fragments.

The pair of sockets delivers each packet whole to exactly one reader: a manager can read back, from its
duplicate of the worker's end, the packets that the worker has not read yet.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from parsl.common.system.packets import make_shared_pair

Buffer = bytes | bytearray | memoryview

#: Largest packet, in bytes. It fits Linux's default socket buffer (212,992 bytes) with the kernel's overhead.
PACKET_LIMIT = 128 * 1024


def make_pair() -> tuple[socket.socket, socket.socket]:
    """Return the manager's end of a new channel, which does not block, and the worker's end."""
    ours, theirs = make_shared_pair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PACKET_LIMIT)
    ours.setblocking(False)
    return ours, theirs


def fragments(frames: Sequence[Buffer]) -> list[memoryview]:
    """Split frames into packets, none of which spans two frames."""
    packets = []
    for frame in frames:
        view = memoryview(frame)
        packets += [view[at : at + PACKET_LIMIT] for at in range(0, view.nbytes, PACKET_LIMIT)]
    return packets


class FrameCollector:
    """Reassembles the frames whose sizes a record has announced."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.frames = [bytearray(size) for size in sizes]
        self._at = 0
        self._filled = 0
        self._skip_full()

    @property
    def is_complete(self) -> bool:
        return self._at == len(self.frames)

    def receive(self, sock: socket.socket) -> None:
        """Read one fragment into its place, without blocking if the socket does not block."""
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
    """Send as a worker does: wait until the manager has accepted everything."""
    sock.send(head)
    for packet in fragments(frames):
        sock.send(packet)
