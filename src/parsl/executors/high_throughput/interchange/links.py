"""The interchange's connections to managers on its own host: a unix socket for each."""

from __future__ import annotations

import logging
import os
import socket
from abc import ABC, abstractmethod
from typing import Any

from parsl.common import descriptors
from parsl.common.system.packets import peer_uid
from parsl.common.system.polling import READABLE, WRITABLE, Poller
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import Refused, encode

logger = logging.getLogger("parsl.htex.interchange")


class Unreachable(Exception):
    """A message could not be sent, because the manager has no connection at present."""


class Link(ABC):
    """A connection to a peer, which is a manager once it has registered."""

    def __init__(self, identity: bytes = b"") -> None:
        self.identity = identity

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.identity!r}>"

    @abstractmethod
    def send(self, parts: list[Any]) -> None:
        """Send a message, or raise `Unreachable`."""

    @abstractmethod
    def identify(self, identity: bytes) -> bool:
        """Take the name under which the peer registers, and return whether the peer may use it."""

    def forget_connection(self) -> None:  # noqa: B027
        """Expect the next message over another connection."""


class LocalLink(Link):
    """A unix socket. When it closes, the manager's process has ended."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        super().__init__()
        self._stream = MessageStream(sock)
        self._poller = poller
        self._has_unsent = False
        poller.register(sock.fileno(), READABLE)

    def identify(self, identity: bytes) -> bool:
        self.identity = identity
        return True

    def send(self, parts: list[Any]) -> None:
        self._stream.queue(parts)
        self._flush()

    def receive(self) -> list[list[Any]]:
        """Return the messages that have arrived. EOFError and OSError mean that the connection is closed."""
        if self._has_unsent:
            self._flush()
        return self._stream.receive()

    def _flush(self) -> None:
        try:
            is_done = self._stream.flush()
        except OSError:
            is_done = True  # the connection is closed, which the next read finds out
        if is_done == self._has_unsent:
            self._has_unsent = not is_done
            self._poller.modify(self._stream.fileno(), READABLE | (0 if is_done else WRITABLE))

    def close(self) -> None:
        self._poller.unregister(self._stream.fileno())
        self._stream.sock.close()


class LocalLinks:
    """The listening unix socket and its connections. Connections of other users are refused."""

    def __init__(self, listener_fd: int, poller: Poller) -> None:
        self._poller = poller
        self._listener_fd = listener_fd
        self._listener = socket.socket(fileno=listener_fd)
        self._listener.setblocking(False)
        self._links: dict[int, LocalLink] = {}
        #: Given up for a moment when no other descriptor is left.
        self._spare = _open_spare()
        poller.register(listener_fd, READABLE)

    def __repr__(self) -> str:
        named = sum(1 for link in self._links.values() if link.identity)
        return f"<LocalLinks connections={len(self._links)} named={named}>"

    def owns(self, fd: int) -> bool:
        return fd in self._links or fd == self._listener_fd

    def ready(self, fd: int) -> LocalLink | None:
        """Return the connection to read from; None if it was the listening socket, whose peer is accepted."""
        if fd == self._listener_fd:
            self._accept()
        return self._links.get(fd)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            logger.error("refused a connection on this host: %s", error.strerror)
            self._refuse()
            return
        if peer_uid(sock) not in (os.getuid(), None):  # None: only this user can enter the socket's directory
            logger.warning("refused a connection of another user")
            sock.close()
            return
        self._links[sock.fileno()] = LocalLink(sock, self._poller)

    def _refuse(self) -> None:
        """Accept with the spare descriptor, to send the reason: else the socket stays readable for ever."""
        _close_spare(self._spare)
        try:
            sock, _ = self._listener.accept()
            with sock:
                stream = MessageStream(sock)
                stream.queue([encode(Refused(descriptors.too_many_managers(len(self._links))))])
                stream.flush()
        except OSError:
            pass  # the peer has closed the connection
        finally:
            self._spare = _open_spare()

    def close_link(self, fd: int) -> None:
        self._links.pop(fd).close()

    def close(self) -> None:
        for fd in list(self._links):
            self.close_link(fd)
        self._listener.close()
        _close_spare(self._spare)


def _open_spare() -> int:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return -1


def _close_spare(fd: int) -> None:
    if fd >= 0:
        os.close(fd)
