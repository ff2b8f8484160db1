"""The interchange's connections to its managers: unix sockets on this host, one ROUTER for the others.

A manager is known by the name under which it registers. ZeroMQ is loaded when the first connection comes in
over TCP, not before: a run on one host never needs it.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any

from parsl.common import descriptors
from parsl.executors.high_throughput.interchange.peers import Peers
from parsl.executors.high_throughput.wire.connections import (
    DONTWAIT,
    EVENTS,
    POLLIN,
    end_context,
    receive_more,
    send,
)
from parsl.executors.high_throughput.wire.message_stream import MAX_BYTES, MessageStream
from parsl.executors.high_throughput.wire.protocol import Refused, encode
from parsl.executors.high_throughput.wire.settings import InterchangeSettings

logger = logging.getLogger("parsl.htex.interchange")

_BURST = 256
#: How long the last messages have to get out, in seconds.
_LINGER_S = 1.0
#: ZMQ_SRCFD: by which connection a message has come.
_SRCFD = 2
#: What the monitor of a socket tells: the number of the event, and the descriptor.
_EVENT = struct.Struct("=Hi")


class Unreachable(Exception):
    """A message could not be sent: there is no connection to that manager now."""


class LocalLinks:
    """Unix sockets, one for each manager on this host. Whoever is another user is turned away."""

    def __init__(self, listener_fd: int, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._listener = socket.socket(fileno=listener_fd)
        self._listener.setblocking(False)
        self._streams: dict[int, MessageStream] = {}
        self._names: dict[int, bytes] = {}
        self._fds: dict[bytes, int] = {}
        self._unflushed: set[int] = set()
        #: Kept for when there are no more descriptors.
        self._spare = _open_spare()
        epoll.register(listener_fd, select.EPOLLIN)

    def __repr__(self) -> str:
        return f"<LocalLinks connections={len(self._streams)} named={len(self._fds)}>"

    def owns(self, fd: int) -> bool:
        return fd in self._streams or fd == self._listener.fileno()

    def serve(
        self, fd: int, take: Callable[[bytes | None, int, list[Any]], None], lose: Callable[[bytes], None]
    ) -> None:
        """Handle an event on one of the descriptors.

        Args:
            take: gets the sender's name (None before it has one), the descriptor, and the message.
            lose: gets the name of a manager whose connection has closed.
        """
        if fd == self._listener.fileno():
            self._accept()
            return
        stream = self._streams.get(fd)
        if stream is None:
            return
        if fd in self._unflushed:
            self._flush(fd, stream)
        try:
            for frames in stream.receive():
                take(self._names.get(fd), fd, frames)
        except (EOFError, OSError):
            name = self._close(fd)
            if name is not None:
                lose(name)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            logger.error("a connection on this host was turned away: %s", error.strerror)
            self._turn_away()
            return
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.getuid():
            logger.warning("a connection of another user was refused")
            sock.close()
            return
        self._streams[sock.fileno()] = MessageStream(sock)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _turn_away(self) -> None:
        """There is no descriptor for one more connection: give up the spare one for as long as it takes to
        refuse it, or the listener would tell of it for ever."""
        _close_spare(self._spare)
        try:
            sock, _ = self._listener.accept()
            with sock:
                reason = descriptors.too_many_managers(len(self._streams))
                stream = MessageStream(sock)
                stream.queue([encode(Refused(reason))])
                stream.flush()
        except OSError:
            pass  # it has gone by itself
        finally:
            self._spare = _open_spare()

    def name(self, fd: int, name: bytes) -> None:
        """From now on the connection is known by the manager's name."""
        self._names[fd] = name
        self._fds[name] = fd

    def has(self, name: bytes) -> bool:
        return name in self._fds

    def send(self, name: bytes, parts: list[Any]) -> None:
        fd = self._fds[name]
        stream = self._streams[fd]
        stream.queue(parts)
        self._flush(fd, stream)

    def answer(self, fd: int, parts: list[Any]) -> None:
        """Send to a connection that has no name yet."""
        if (stream := self._streams.get(fd)) is not None:
            stream.queue(parts)
            self._flush(fd, stream)

    def _flush(self, fd: int, stream: MessageStream) -> None:
        try:
            is_done = stream.flush()
        except OSError:
            is_done = True  # it is gone; reading tells
        if is_done == (fd in self._unflushed):
            events = select.EPOLLIN | (0 if is_done else select.EPOLLOUT)
            self._epoll.modify(fd, events)
            self._unflushed ^= {fd}

    def _close(self, fd: int) -> bytes | None:
        self._epoll.unregister(fd)
        self._streams.pop(fd).sock.close()
        self._unflushed.discard(fd)
        name = self._names.pop(fd, None)
        if name is None or self._fds.get(name) != fd:
            return None  # it has another connection by now
        del self._fds[name]
        return name

    def drop(self, name: bytes) -> None:
        """Close the connection of a manager that was given up."""
        if name in self._fds:
            self._close(self._fds[name])

    def close(self) -> None:
        for fd in list(self._streams):
            self._close(fd)
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


class RemoteLinks:
    """One ROUTER socket for all managers that come over TCP; with CURVE unless told otherwise."""

    def __init__(self, settings: InterchangeSettings, epoll: select.epoll) -> None:
        import zmq

        self._zmq = zmq
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.SNDHWM, 0),
            (zmq.RCVHWM, 0),
            (zmq.MAXMSGSIZE, MAX_BYTES),
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.ROUTER_HANDOVER, 1),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.IPV6, 1),
            (zmq.USE_FD, settings.listener_fd),
        ):
            self._router.setsockopt(option, value)
        self._monitor = self._router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._gate: Any = None
        self._peers = Peers()
        self._doubtful: list[bytes] = []
        #: To send takes in what has come: nobody tells of that any more.
        self._has_sent = False
        self._is_undrained = True
        if settings.cert_dir:
            self._require_keys(settings.cert_dir)
        self._router.bind(settings.endpoint)
        self._sockets = [self._router, self._monitor] + ([self._gate] if self._gate else [])
        self.descriptors = {int(sock.getsockopt(zmq.FD)) for sock in self._sockets}
        for fd in self.descriptors:
            epoll.register(fd, select.EPOLLIN)

    def __repr__(self) -> str:
        return f"<RemoteLinks encrypted={self._gate is not None}>"

    def _require_keys(self, cert_dir: str) -> None:
        """CURVE, and a gate that lets in only the holders of the client's key (rfc.zeromq.org/spec/27)."""
        from zmq.utils import z85

        from parsl.curvezmq import load_server_keys

        keys = load_server_keys(cert_dir)
        self._router.curve_server = True
        self._router.curve_publickey = keys.public
        self._router.curve_secretkey = keys.secret
        self._router.setsockopt(self._zmq.ZAP_DOMAIN, b"parsl")
        self._allowed = z85.decode(keys.client_public)
        self._gate = self._context.socket(self._zmq.REP)
        self._gate.bind("inproc://zeromq.zap.01")

    def has_input(self) -> bool:
        """Whether messages may be there that the edge-triggered descriptors will not tell of again."""
        return self._is_undrained or (self._has_sent and int(self._router.getsockopt(EVENTS)) & POLLIN != 0)

    def serve(self, take: Callable[[bytes, list[Any]], None]) -> list[bytes]:
        """Take what has come. Returns: managers whose connection was closed."""
        if self._gate is not None:
            self._guard()
        self._has_sent, self._is_undrained = False, True
        try:
            for _ in range(_BURST):
                self._take_one(take)
        except self._zmq.Again:
            self._is_undrained = False
        return self._closed()

    def _take_one(self, take: Callable[[bytes, list[Any]], None]) -> None:
        name = self._router.recv(DONTWAIT)
        if name in self._peers:
            parts = [self._router.recv(DONTWAIT)]
        else:
            head = self._router.recv(DONTWAIT, copy=False)
            self._learn(name, head)
            parts = [head.bytes]
        receive_more(self._router, parts)
        take(name, parts)

    def _learn(self, name: bytes, head: Any) -> None:
        try:
            before = self._peers.learn(name, head.get(_SRCFD))
        except self._zmq.ZMQError:
            return  # it does not say; then the next message may
        if before is not None:
            self._doubtful.append(before)

    def forget_connection(self, name: bytes) -> None:
        """A manager has, or may have, another connection than before, or none any more."""
        self._peers.forget(name)

    def _guard(self) -> None:
        try:
            while True:
                version, number, _domain, address, _identity, mechanism, *credentials = (
                    self._gate.recv_multipart(DONTWAIT)
                )
                is_allowed = mechanism == b"CURVE" and credentials == [self._allowed]
                if not is_allowed:
                    logger.warning(
                        "a connection from %s without the key was refused", address.decode(errors="replace")
                    )
                status = [b"200", b"OK"] if is_allowed else [b"400", b"no valid key"]
                send(self._gate, [version, number, *status, b"", b""])
        except self._zmq.Again:
            pass

    def _closed(self) -> list[bytes]:
        closed, self._doubtful = self._doubtful, []
        try:
            while True:
                event, _address = self._monitor.recv_multipart(DONTWAIT)
                name = self._peers.closed(_EVENT.unpack(event)[1])
                if name is not None:
                    closed.append(name)
        except self._zmq.Again:
            return closed

    def send(self, name: bytes, parts: list[Any]) -> None:
        """Raises: Unreachable."""
        self._has_sent = True
        try:
            send(self._router, [name, *parts])
        except self._zmq.ZMQError as error:
            raise Unreachable(str(error)) from error

    def close(self) -> None:
        self._router.disable_monitor()
        for sock in self._sockets:
            sock.close(linger=int(_LINGER_S * 1000))
        end_context(self._context, _LINGER_S)
