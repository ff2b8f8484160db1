"""Sockets for packets, each of which arrives whole: SOCK_SEQPACKET, or what comes close to it elsewhere."""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Any

from parsl.common.system import IS_PORTABLE

_LENGTH = struct.Struct("<I")
#: How often to try again when a system without flow control for datagrams has no room, in seconds.
_RETRY_PERIOD_S = 0.001


class DatagramSocket(socket.socket):
    """Packets that several processes may read, each packet by one of them. Without an end-of-file."""

    packet_kind = socket.SOCK_DGRAM

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send a packet. BSD's kernels report a full queue as ENOBUFS instead of waiting."""
        while True:
            try:
                return super().send(data, flags)
            except ConnectionRefusedError as error:
                raise BrokenPipeError(errno.EPIPE, "the other end is closed") from error
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            if self.gettimeout() == 0.0:
                raise BlockingIOError(errno.EAGAIN, "the other end has unread packets")
            time.sleep(_RETRY_PERIOD_S)


class FramedSocket(socket.socket):
    """Packets over a stream, each after its length, for one reader. Closing is an end-of-file."""

    packet_kind = socket.SOCK_STREAM

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send a packet; wait until it is accepted."""
        return self.sendmsg([data], (), flags)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """Send a packet with descriptors, which arrive with its length."""
        data = b"".join(buffers)
        packet = _LENGTH.pack(len(data)) + data
        sent = super().sendmsg([packet], ancdata, flags)
        self.sendall(packet[sent:])
        return len(data)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive a packet; nothing at the end."""
        data: bytes = self.recvmsg(bufsize, 0, flags)[0]
        return data

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
        """Receive a packet and its descriptors; only the wait for the beginning obeys the flags."""
        length, ancillary, flags, address = super().recvmsg(_LENGTH.size, ancbufsize, flags)
        if not length:
            return b"", ancillary, flags, address
        length += self._receive(_LENGTH.size - len(length))
        return self._receive(_LENGTH.unpack(length)[0]), ancillary, flags, address

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = super().recv(size - len(data))
            if not piece:
                raise ConnectionResetError(errno.ECONNRESET, "the other end was closed within a packet")
            data += piece
        return bytes(data)


_StandIn = type[DatagramSocket] | type[FramedSocket]


def make_shared_pair(is_portable: bool = IS_PORTABLE) -> tuple[socket.socket, socket.socket]:
    """Return two ends whose packets each go to exactly one of the processes that hold the end."""
    return _make_pair(DatagramSocket if is_portable else None)


def open_shared_end(fd: int, is_portable: bool = IS_PORTABLE) -> socket.socket:
    """Make a socket of the descriptor of such an end."""
    return _open(fd, DatagramSocket if is_portable else None)


def make_control_pair(is_portable: bool = IS_PORTABLE) -> tuple[socket.socket, socket.socket]:
    """Return two ends for one process each, which carry descriptors, and where one sees the other's end."""
    return _make_pair(FramedSocket if is_portable else None)


def open_control_end(fd: int, is_portable: bool = IS_PORTABLE) -> socket.socket:
    """Make a socket of the descriptor of such an end."""
    return _open(fd, FramedSocket if is_portable else None)


def _make_pair(stand_in: _StandIn | None) -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair(socket.AF_UNIX, _kind(stand_in))
    return _open(one.detach(), stand_in), _open(other.detach(), stand_in)


def _open(fd: int, stand_in: _StandIn | None) -> socket.socket:
    return (stand_in or socket.socket)(socket.AF_UNIX, _kind(stand_in), fileno=fd)


def _kind(stand_in: _StandIn | None) -> int:
    return socket.SOCK_SEQPACKET if stand_in is None else stand_in.packet_kind


def peer_uid(sock: socket.socket) -> int | None:
    """Return the user of the process that has connected to a unix socket; None if the system hides it."""
    if IS_PORTABLE:
        return None
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])
