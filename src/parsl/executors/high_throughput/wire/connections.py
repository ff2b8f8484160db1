"""A manager's connection to its interchange: two kinds with one interface, neither of which ever blocks."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.wire.message_stream import MessageStream

#: Frames from this size on, in bytes, are passed to ZeroMQ without a copy.
COPY_LIMIT = 64 * 1024
#: How long a socket has to accept a connection, in seconds.
CONNECT_TIMEOUT_S = 10.0
#: Messages received in one go, so that others get their turn.
_BURST = 64
# Constants of ZeroMQ as plain numbers: combining its enumerations costs more than sending a message.
DONTWAIT = 1
_DONTWAIT_AND_MORE = 1 | 2
_RCVMORE = 13
EVENTS = 15
POLLIN = 1
_POLLOUT = 2
#: How often at most to replace a connection that ZeroMQ has given up, in seconds.
RECONNECT_AFTER_S = 1.0
#: How much longer than its sockets linger a context has to end, in seconds.
_CONTEXT_GRACE_S = 1.0


class Connection(ABC):
    """Messages of frames, in both directions. Owned by the manager's loop.

    The defaults below suit a connection that ends when it is interrupted.
    """

    #: Whether the interchange at the other end is known to be ours, as of the last look. Over a network, only
    #: encryption can prove that.
    is_proven = False

    def __init__(self) -> None:
        self._requeued: list[list[Any]] = []

    def requeue(self, messages: list[list[Any]]) -> None:
        """Have these messages received again, before others."""
        self._requeued = messages

    @abstractmethod
    def fileno(self) -> int:
        """Return the descriptor to watch for input."""

    def reopen(self) -> bool:
        """Connect again, to another process, after the other side has ended. Unsent messages are lost."""
        return False

    def alarm_fileno(self) -> int | None:
        """Return the descriptor to watch for interruptions; None where these end the connection."""
        return None

    def was_interrupted(self) -> bool:
        """Return whether the connection broke since the last call. It comes back by itself."""
        return False

    def reconnect(self, *, is_overdue: bool = False) -> bool:
        """Replace a connection that will not come back by itself, and lose what was sent meanwhile.

        ``is_overdue`` replaces any connection: its other side should have proven who it is by now.
        """
        return False

    @abstractmethod
    def send(self, parts: Sequence[Any]) -> None:
        """Send a message, now or as soon as the other side accepts it."""

    @abstractmethod
    def receive(self) -> list[list[Any]]:
        """Return the messages that have arrived; EOFError if the other side is known to be gone."""

    @abstractmethod
    def has_input(self) -> bool:
        """Return whether there may be messages that the descriptor does not signal."""

    def has_unsent(self) -> bool:
        return False

    @abstractmethod
    def flush(self) -> None:
        """Write waiting messages as far as there is room."""

    @abstractmethod
    def close(self, timeout_s: float) -> None:
        """Close the connection after at most this time for waiting messages."""


class StreamConnection(Connection):
    """A unix socket, whose other end has ended when it closes; without a path, it cannot be opened again."""

    is_proven = True  # only the user can create a socket in that directory

    def __init__(self, stream: MessageStream, path: str = "") -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._has_unsent = False

    def fileno(self) -> int:
        return self._stream.fileno()

    def reopen(self) -> bool:
        self._stream.sock.close()
        try:
            self._stream = open_stream(self._path)
        except OSError:
            return False
        self._has_unsent = False
        return True

    def send(self, parts: Sequence[Any]) -> None:
        self._stream.queue(parts)
        self.flush()

    def receive(self) -> list[list[Any]]:
        messages, self._requeued = self._requeued, []
        return messages + self._stream.receive()

    def has_input(self) -> bool:
        return bool(self._requeued)

    def has_unsent(self) -> bool:
        return self._has_unsent

    def flush(self) -> None:
        try:
            self._has_unsent = not self._stream.flush()
        except OSError:
            self._has_unsent = False  # the other side is gone, which the next read notices

    def close(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._has_unsent and (left_s := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._stream, select.POLLOUT)
            poll.poll(left_s * 1000)
            self.flush()
        self._stream.sock.close()


def open_stream(path: str) -> MessageStream:
    """Connect to a unix socket in a directory that only the user can enter."""
    directory = os.stat(os.path.dirname(path))
    if directory.st_uid != os.getuid() or directory.st_mode & 0o077:
        raise PermissionError("its directory is open to others")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return MessageStream(sock)


def is_abandoned(path: str) -> bool:
    """Return whether a unix socket is the remainder of processes that have all ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(CONNECT_TIMEOUT_S)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


class ZmqConnection(Connection):
    """A ZeroMQ DEALER socket, with CURVE if it has keys, which this connects to its endpoint."""

    def __init__(self, sock: Any, endpoint: str) -> None:
        import zmq

        super().__init__()
        self._zmq = zmq
        self._sock = sock
        self._endpoint = endpoint
        self._reconnect_at = time.monotonic() + RECONNECT_AFTER_S
        self._fd = int(sock.getsockopt(zmq.FD))
        self._is_encrypted = int(sock.getsockopt(zmq.MECHANISM)) == zmq.CURVE
        self._was_interrupted = False
        # Before it connects: an event during the creation of the monitor would block ZeroMQ's thread forever.
        self._monitor = sock.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        sock.connect(endpoint)

    def alarm_fileno(self) -> int | None:
        self._read_events()  # the descriptor only signals events that follow a read that found nothing
        return int(self._monitor.getsockopt(self._zmq.FD))

    def was_interrupted(self) -> bool:
        self._read_events()
        found, self._was_interrupted = self._was_interrupted, False
        return found

    def _read_events(self) -> None:
        try:
            while True:  # to the last event, because the descriptor is edge-triggered
                number = int.from_bytes(self._monitor.recv_multipart(DONTWAIT)[0][:2], sys.byteorder)
                is_up = number == self._zmq.EVENT_HANDSHAKE_SUCCEEDED
                self.is_proven = is_up and self._is_encrypted
                self._was_interrupted |= not is_up
        except self._zmq.Again:
            pass

    def reconnect(self, *, is_overdue: bool = False) -> bool:
        # ZeroMQ restores a broken connection, but gives it up for good when it receives anything that is not
        # ZeroMQ's protocol. The socket then has nowhere to put a message.
        now = time.monotonic()
        if now < self._reconnect_at:
            return False
        if not is_overdue and int(self._sock.getsockopt(EVENTS)) & _POLLOUT:
            return False
        self._reconnect_at = now + RECONNECT_AFTER_S
        try:
            self._sock.disconnect(self._endpoint)
        except self._zmq.ZMQError:
            pass  # ZeroMQ has already forgotten the endpoint
        self._sock.connect(self._endpoint)
        return True

    def fileno(self) -> int:
        return self._fd

    def send(self, parts: Sequence[Any]) -> None:
        try:
            send(self._sock, parts)
        except self._zmq.Again:
            pass  # ZeroMQ has given the connection up; the interchange requests lost messages afterwards

    def receive(self) -> list[list[Any]]:
        messages, self._requeued = self._requeued, []
        try:
            for _ in range(_BURST):
                messages.append(receive(self._sock))
        except self._zmq.Again:
            pass
        return messages

    def has_input(self) -> bool:
        # ZeroMQ's descriptor is edge-triggered: never sleep on it with events pending.
        return bool(self._requeued or int(self._sock.getsockopt(EVENTS)) & POLLIN)

    def flush(self) -> None:
        """Do nothing: ZeroMQ writes by itself."""

    def close(self, timeout_s: float) -> None:
        if self._sock.closed:
            return
        context = self._sock.context
        self._sock.disable_monitor()
        self._monitor.close(linger=0)
        self._sock.close(linger=int(timeout_s * 1000))
        end_context(context, timeout_s)


def end_context(context: Any, linger_s: float) -> None:
    """End a ZeroMQ context whose sockets are closed, but wait for that only so long.

    A connection that breaks in the middle of its handshake can keep a context from ending. It then ends with
    the process, which has nothing else left to do.
    """
    ending = threading.Thread(target=context.term, name="zmq-end", daemon=True)
    ending.start()
    ending.join(linger_s + _CONTEXT_GRACE_S)


def send(sock: Any, parts: Sequence[Any]) -> None:
    """Send a multipart message over ZeroMQ without blocking, and large frames without a copy.

    zmq.Again: the socket accepts no more. zmq.ZMQError: there is no such peer (EHOSTUNREACH).
    """
    last = len(parts) - 1
    for i, part in enumerate(parts):
        large = i > 0 and memoryview(part).nbytes >= COPY_LIMIT
        sock.send(part, DONTWAIT if i == last else _DONTWAIT_AND_MORE, copy=not large)


def receive(sock: Any) -> list[Any]:
    """Receive a multipart message without blocking: the first part as bytes, the others as memoryviews."""
    parts: list[Any] = [sock.recv(DONTWAIT)]
    receive_more(sock, parts)
    return parts


def receive_more(sock: Any, parts: list[Any]) -> None:
    """Append the remaining parts of a message, as memoryviews, to those received already."""
    while sock.getsockopt(_RCVMORE):
        parts.append(sock.recv(DONTWAIT, copy=False).buffer)
