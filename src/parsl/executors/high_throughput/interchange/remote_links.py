"""The interchange's connections to managers on other hosts: one ROUTER socket for all.

ZeroMQ is loaded when the first connection arrives over TCP: a run on one host never needs it.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import Any

from parsl.common.system.polling import READABLE, Poller
from parsl.executors.high_throughput.interchange.links import Link, Unreachable
from parsl.executors.high_throughput.wire import connections
from parsl.executors.high_throughput.wire.connections import DONTWAIT, receive_more, send
from parsl.executors.high_throughput.wire.message_stream import MAX_BYTES
from parsl.executors.high_throughput.wire.settings import InterchangeSettings

logger = logging.getLogger("parsl.htex.interchange")

#: Messages received before tasks and other connections get their turn.
_BURST = 256
#: How long the last messages may take to leave (seconds).
_LINGER_S = 1.0
#: ZMQ_SRCFD: the descriptor of the connection over which a message came.
_SRCFD = 2
#: What a socket's monitor reports: the number of the event, and the descriptor.
_EVENT = struct.Struct("=Hi")


class RemoteLink(Link):
    """A manager behind the ROUTER socket, which knows it by its name."""

    def __init__(self, identity: bytes, links: RemoteLinks) -> None:
        super().__init__(identity)
        self._links = links

    def identify(self, identity: bytes) -> bool:
        return identity == self.identity

    def send(self, parts: list[Any]) -> None:
        self._links.send(self.identity, parts)

    def forget_connection(self) -> None:
        self._links.peers.forget(self.identity)


class Peers:
    """Descriptors of connections and the managers behind them, as far as known.

    Messages and reports of closed connections arrive by two routes, in no particular order: another
    connection may have got a descriptor's number before its closing is reported.
    """

    def __init__(self) -> None:
        self._descriptors: dict[bytes, int] = {}
        self._identities: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<Peers known={len(self._descriptors)}>"

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._descriptors

    def learn(self, identity: bytes, descriptor: int) -> bytes | None:
        """Note the connection over which a manager's message came.

        Return the manager whose connection had that descriptor before, and must be closed by now.
        """
        before = self._identities.get(descriptor)
        self.forget(identity)
        if before is not None:
            self.forget(before)
        self._descriptors[identity] = descriptor
        self._identities[descriptor] = identity
        return before if before != identity else None

    def closed(self, descriptor: int) -> bytes | None:
        """Note that a connection has closed, and return the manager that has its descriptor by now."""
        identity = self._identities.get(descriptor)
        if identity is not None:
            self.forget(identity)
        return identity

    def forget(self, identity: bytes) -> None:
        """Expect the next message of this manager over another connection."""
        descriptor = self._descriptors.pop(identity, None)
        if descriptor is not None:
            del self._identities[descriptor]


class RemoteLinks:
    """The ROUTER socket for all managers that connect over TCP, with CURVE unless it is disabled."""

    def __init__(self, settings: InterchangeSettings, poller: Poller) -> None:
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
        self.peers = Peers()
        self._reported_closed: list[bytes] = []
        #: A send also takes in what has arrived, which the descriptor then no longer reports.
        self._has_sent = False
        self._is_undrained = True
        if settings.cert_dir:
            self._require_keys(settings.cert_dir)
        self._router.bind(settings.endpoint)
        self._sockets = [self._router, self._monitor] + ([self._gate] if self._gate else [])
        for sock in self._sockets:
            poller.register(int(sock.getsockopt(zmq.FD)), READABLE)

    def __repr__(self) -> str:
        return f"<RemoteLinks encrypted={self._gate is not None} {self.peers!r}>"

    def _require_keys(self, cert_dir: str) -> None:
        """Use CURVE, and admit only the holders of the client's key (rfc.zeromq.org/spec/27)."""
        from zmq.utils import z85

        from parsl.curvezmq import load_server_keys

        keys = load_server_keys(cert_dir)
        self._router.curve_server = True
        self._router.curve_publickey = keys.public
        self._router.curve_secretkey = keys.secret
        self._router.setsockopt(self._zmq.ZAP_DOMAIN, b"parsl")
        self._allowed = z85.decode(keys.peer_public)
        self._gate = self._context.socket(self._zmq.REP)
        self._gate.bind("inproc://zeromq.zap.01")

    def has_input(self) -> bool:
        """Whether messages may wait that the edge-triggered descriptors will not report again."""
        if self._is_undrained or not self._has_sent:
            return self._is_undrained
        return bool(int(self._router.getsockopt(connections.EVENTS)) & connections.POLLIN)

    def receive(self) -> Iterator[tuple[RemoteLink, list[Any]]]:
        """Yield the messages that have arrived, at most one burst, with their senders."""
        if self._gate is not None:
            self._check_keys()
        self._has_sent, self._is_undrained = False, True
        try:
            for _ in range(_BURST):
                yield self._receive_one()
        except self._zmq.Again:
            self._is_undrained = False

    def _receive_one(self) -> tuple[RemoteLink, list[Any]]:
        identity = self._router.recv(DONTWAIT)
        if identity in self.peers:
            parts = [self._router.recv(DONTWAIT)]
        else:
            head = self._router.recv(DONTWAIT, copy=False)
            self._learn(identity, head)
            parts = [head.bytes]
        receive_more(self._router, parts)
        return RemoteLink(identity, self), parts

    def _learn(self, identity: bytes, head: Any) -> None:
        try:
            before = self.peers.learn(identity, head.get(_SRCFD))
        except self._zmq.ZMQError:
            return  # this message has no descriptor; the next one may have it
        if before is not None:
            self._reported_closed.append(before)

    def _check_keys(self) -> None:
        try:
            while True:
                version, number, _domain, address, _identity, mechanism, *credentials = (
                    self._gate.recv_multipart(DONTWAIT)
                )
                is_allowed = mechanism == b"CURVE" and credentials == [self._allowed]
                if not is_allowed:
                    logger.warning(
                        "refused a connection from %s without the key", address.decode(errors="replace")
                    )
                status = [b"200", b"OK"] if is_allowed else [b"400", b"no valid key"]
                send(self._gate, [version, number, *status, b"", b""])
        except self._zmq.Again:
            pass

    def take_closed(self) -> list[bytes]:
        closed, self._reported_closed = self._reported_closed, []
        try:
            while True:
                event, _address = self._monitor.recv_multipart(DONTWAIT)
                identity = self.peers.closed(_EVENT.unpack(event)[1])
                if identity is not None:
                    closed.append(identity)
        except self._zmq.Again:
            return closed

    def send(self, identity: bytes, parts: list[Any]) -> None:
        self._has_sent = True
        try:
            send(self._router, [identity, *parts])
        except self._zmq.ZMQError as error:
            raise Unreachable(str(error)) from error

    def close(self) -> None:
        self._router.disable_monitor()
        for sock in self._sockets:
            sock.close(linger=int(_LINGER_S * 1000))
        connections.end_context(self._context, _LINGER_S)
