"""Detecting the end of Ray's processes at once, by connections to them."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

#: A server may close an idle connection; a new one proves that it is alive. The time between two (s).
RECONNECT_INTERVAL_S = 1.0
#: How long a connection attempt may take, in seconds.
CONNECT_TIMEOUT_S = 10.0
#: A host that is gone without closing its connections is detected after about 25 s.
_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Peer(NamedTuple):
    """A process that accepts connections."""

    #: What it is, for messages.
    name: str
    #: A host and a port, or the path of a unix socket.
    address: tuple[str, int] | str


def connect(peer: Peer) -> socket.socket:
    """Return a connection to a process.

    Raises:
        OSError: It does not accept one.
    """
    if isinstance(peer.address, str):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(peer.address)
        except OSError:
            connection.close()
            raise
        return connection
    connection = socket.create_connection(peer.address, CONNECT_TIMEOUT_S)
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


class Watch:
    """A thread that keeps a connection to each of some processes, and blocks until one of these has ended.

    Args:
        peers: The processes.
        on_loss: Called once, in the watch's thread, with the first process that accepts no connection.
    """

    def __init__(self, peers: Sequence[Peer], on_loss: Callable[[Peer], None]) -> None:
        self._peers = peers
        self._on_loss = on_loss
        self._ours, self._wakeup = socket.socketpair()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="parsl-ray-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._is_closed = True
        self._ours.close()
        if self._thread.is_alive() and not self.is_this_thread():
            self._thread.join()

    def is_this_thread(self) -> bool:
        """Return whether the caller is the watch's own thread."""
        return self._thread is threading.current_thread()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector, self._wakeup:
            selector.register(self._wakeup, selectors.EVENT_READ)
            lost = next((peer for peer in self._peers if not _register(selector, peer)), None)
            while lost is None and not self._is_closed:
                lost = self._wait(selector)
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
        if lost is not None and not self._is_closed:
            self._on_loss(lost)

    def _wait(self, selector: selectors.BaseSelector) -> Peer | None:
        """Wait until something happens; return the process that has ended, if one has."""
        for key, _ in selector.select():
            peer = key.data
            if peer is None or not isinstance(key.fileobj, socket.socket) or _is_open(key.fileobj):
                continue
            selector.unregister(key.fileobj)
            key.fileobj.close()
            if not _register(selector, peer):
                return peer if isinstance(peer, Peer) else None
            time.sleep(RECONNECT_INTERVAL_S)  # the server is alive, and has closed an idle connection
        return None


def _register(selector: selectors.BaseSelector, peer: Peer) -> bool:
    try:
        selector.register(connect(peer), selectors.EVENT_READ, peer)
    except OSError:
        return False
    return True


def _is_open(connection: socket.socket) -> bool:
    """Drop what has arrived, and return whether the other side is still there."""
    try:
        return bool(connection.recv(65536))
    except OSError:
        return False
