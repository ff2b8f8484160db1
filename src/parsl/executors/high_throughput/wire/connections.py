"""A manager's connection to its interchange, of two kinds with one interface.

On the interchange's own host: a unix socket in a directory that only the user can enter; its closing is the
other side's end. Anywhere else: ZeroMQ over TCP, with CURVE. Neither ever blocks.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from parsl.executors.high_throughput.wire.message_stream import MessageStream

#: Frames from this size on, in bytes, are handed to ZeroMQ without a copy.
COPY_LIMIT = 64 * 1024
#: Messages that are taken at once before others get their turn.
_BURST = 64
# Constants of ZeroMQ as plain numbers: its enumerations cost more to combine than a message to send.
DONTWAIT = 1
_DONTWAIT_AND_MORE = 1 | 2
_RCVMORE = 13
EVENTS = 15
POLLIN = 1
_POLLOUT = 2
#: A connection that ZeroMQ has given up is made again at most this often, in seconds.
REVIVE_AFTER_S = 1.0
#: How much longer than its sockets linger a context has to end, in seconds.
_CONTEXT_GRACE_S = 1.0


class Connection(ABC):
    """Messages of frames, in both directions. Owned by the manager's loop."""

    def __init__(self) -> None:
        self._given_back: list[list[Any]] = []

    def give_back(self, messages: list[list[Any]]) -> None:
        """Have these received again, before others."""
        self._given_back = messages

    @abstractmethod
    def fileno(self) -> int:
        """What to watch for input."""

    def reopen(self) -> bool:
        """Connect again after the other side's end.

        Returns: whether there is somebody again; what had not been sent by then is lost.
        """
        return False

    def alarm_fileno(self) -> int | None:
        """What to watch for interruptions; None where they end the connection."""
        return None

    def was_interrupted(self) -> bool:
        """Whether the connection has broken since this was asked last; it comes back by itself."""
        return False

    @property
    def is_proven(self) -> bool:
        """Whether it is our interchange that is at the other end, as far as was known at the last look.

        Without encryption nothing over a network proves that.
        """
        return False

    def revive(self) -> bool:
        """Make the connection again if it will not come back by itself.

        Returns: whether it was made again; what was said meanwhile is lost.
        """
        return False

    @abstractmethod
    def send(self, parts: Sequence[Any]) -> None:
        """Send a message, now or as soon as the other side takes it."""

    @abstractmethod
    def receive(self) -> list[list[Any]]:
        """The messages that have come.

        Raises: EOFError when the other side is known to be gone.
        """

    @abstractmethod
    def has_input(self) -> bool:
        """Whether messages may be there that the descriptor will not tell of."""

    @abstractmethod
    def wants_output(self) -> bool:
        """Whether to watch for room to write."""

    @abstractmethod
    def flush(self) -> None:
        """Write what is waiting, as far as there is room."""

    @abstractmethod
    def close(self, timeout_s: float) -> None:
        """Close, giving what is waiting so long to get out."""


class StreamConnection(Connection):
    """Over a unix socket.

    Args:
        stream: the connected socket.
        connect: connects once more; gives None when nobody listens any more.
    """

    def __init__(
        self, stream: MessageStream, connect: Callable[[], MessageStream | None] = lambda: None
    ) -> None:
        super().__init__()
        self._stream = stream
        self._connect = connect
        self._wants_output = False

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def is_proven(self) -> bool:
        return True  # nobody else can make a socket in that directory

    def reopen(self) -> bool:
        self._stream.sock.close()
        stream = self._connect()
        if stream is None:
            return False
        self._stream, self._wants_output = stream, False
        return True

    def send(self, parts: Sequence[Any]) -> None:
        self._stream.queue(parts)
        self.flush()

    def receive(self) -> list[list[Any]]:
        messages, self._given_back = self._given_back, []
        return messages + self._stream.receive()

    def has_input(self) -> bool:
        return bool(self._given_back)

    def wants_output(self) -> bool:
        return self._wants_output

    def flush(self) -> None:
        try:
            self._wants_output = not self._stream.flush()
        except OSError:
            self._wants_output = False  # it is gone; reading tells

    def close(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._wants_output and (left := deadline - time.monotonic()) > 0:
            self._poll_for_room(left)
            self.flush()
        self._stream.sock.close()

    def _poll_for_room(self, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(self._stream, select.POLLOUT)
        poll.poll(timeout_s * 1000)


class ZmqConnection(Connection):
    """Over a ZeroMQ DEALER socket.

    Args:
        sock: the socket, not connected yet.
        endpoint: what to connect it to.
    """

    def __init__(self, sock: Any, endpoint: str) -> None:
        import zmq

        super().__init__()
        self._zmq = zmq
        self._sock = sock
        self._endpoint = endpoint
        self._revive_at = time.monotonic() + REVIVE_AFTER_S
        self._fd = int(sock.getsockopt(zmq.FD))
        self._is_encrypted = int(sock.getsockopt(zmq.MECHANISM)) == zmq.CURVE
        self._is_proven = False
        self._was_interrupted = False
        # Before it connects: news that come while this is half made would stop ZeroMQ's own thread for ever.
        self._monitor = sock.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        sock.connect(endpoint)

    def alarm_fileno(self) -> int | None:
        self._take_news()  # its descriptor tells only of what comes after a vain attempt to read
        return int(self._monitor.getsockopt(self._zmq.FD))

    def was_interrupted(self) -> bool:
        self._take_news()
        found, self._was_interrupted = self._was_interrupted, False
        return found

    def _take_news(self) -> None:
        try:
            while True:  # to the last one: its descriptor is edge-triggered
                number = int.from_bytes(self._monitor.recv_multipart(DONTWAIT)[0][:2], sys.byteorder)
                is_up = number == self._zmq.EVENT_HANDSHAKE_SUCCEEDED
                self._is_proven = is_up and self._is_encrypted
                self._was_interrupted |= not is_up
        except self._zmq.Again:
            pass

    @property
    def is_proven(self) -> bool:
        return self._is_proven

    def revive(self) -> bool:
        # ZeroMQ connects again when a connection breaks, but gives it up for good when what comes over it is
        # not ZeroMQ. Then there is nowhere to put a message.
        now = time.monotonic()
        if now < self._revive_at or int(self._sock.getsockopt(EVENTS)) & _POLLOUT:
            return False
        self._revive_at = now + REVIVE_AFTER_S
        try:
            self._sock.disconnect(self._endpoint)
        except self._zmq.ZMQError:
            pass  # it has forgotten about it
        self._sock.connect(self._endpoint)
        return True

    def fileno(self) -> int:
        return self._fd

    def send(self, parts: Sequence[Any]) -> None:
        try:
            send(self._sock, parts)
        except self._zmq.Again:
            pass  # it was given up; what was lost is asked for when it is made again

    def receive(self) -> list[list[Any]]:
        messages, self._given_back = self._given_back, []
        try:
            for _ in range(_BURST):
                messages.append(receive(self._sock))
        except self._zmq.Again:
            pass
        return messages

    def has_input(self) -> bool:
        # ZeroMQ's descriptor is edge-triggered: never sleep on it with events pending.
        return bool(self._given_back or int(self._sock.getsockopt(EVENTS)) & POLLIN)

    def wants_output(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self, timeout_s: float) -> None:
        if self._sock.closed:
            return
        context = self._sock.context
        self._sock.disable_monitor()
        self._monitor.close(linger=0)
        self._sock.close(linger=int(timeout_s * 1000))
        end_context(context, timeout_s)


def end_context(context: Any, linger_s: float) -> None:
    """End a ZeroMQ context whose sockets are closed, without waiting for ever.

    A connection that breaks in the middle of its handshake can keep it from ending. Then it ends with the
    process, which has nothing else to do.

    Args:
        context: The context.
        linger_s: How long its sockets linger, in seconds.
    """
    ending = threading.Thread(target=context.term, name="zmq-end", daemon=True)
    ending.start()
    ending.join(linger_s + _CONTEXT_GRACE_S)


def send(sock: Any, parts: Sequence[Any]) -> None:
    """Send a multipart message over ZeroMQ without blocking, large frames uncopied.

    Raises: zmq.Again when the socket takes no more; zmq.ZMQError (EHOSTUNREACH) when nobody is there.
    """
    last = len(parts) - 1
    for i, part in enumerate(parts):
        large = i > 0 and memoryview(part).nbytes >= COPY_LIMIT
        sock.send(part, DONTWAIT if i == last else _DONTWAIT_AND_MORE, copy=not large)


def receive(sock: Any) -> list[Any]:
    """Receive a multipart message over ZeroMQ without blocking.

    Returns: the first part as bytes, the others as memoryviews.
    Raises: zmq.Again when nothing has come.
    """
    parts: list[Any] = [sock.recv(DONTWAIT)]
    receive_more(sock, parts)
    return parts


def receive_more(sock: Any, parts: list[Any]) -> None:
    """Receive the rest of a message, as memoryviews, behind the parts of it that are there."""
    while sock.getsockopt(_RCVMORE):
        parts.append(sock.recv(DONTWAIT, copy=False).buffer)
