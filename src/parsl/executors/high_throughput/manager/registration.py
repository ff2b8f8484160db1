"""How a manager finds its interchange and registers: it tries every address, and reports every failure."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

from parsl.common.representation import rounded_s
from parsl.executors.high_throughput.wire import connections, protocol
from parsl.executors.high_throughput.wire.connections import CONNECT_TIMEOUT_S, Connection
from parsl.executors.high_throughput.wire.message_stream import MAX_BYTES
from parsl.executors.high_throughput.wire.protocol import Refused, Register, Welcome
from parsl.executors.high_throughput.wire.settings import ManagerSettings

#: How long a peer that has not proven to be our interchange has to answer, in seconds.
UNPROVEN_TIMEOUT_S = 40.0
#: How long ZeroMQ waits for the rest of a handshake before it connects again, in milliseconds. Long enough
#: for an interchange to which thousands connect at once; short enough for another attempt in the time above.
HANDSHAKE_TIMEOUT_MS = 18_000
#: When to replace an unproven connection, in seconds. ZeroMQ may take garbage for the greeting of an old
#: version, which has no handshake that could time out.
REPLACE_AFTER_S = HANDSHAKE_TIMEOUT_MS / 1000 + 1
#: When to try the local socket of a lost interchange again, in seconds.
REOPEN_AFTER_S = 0.05
#: When ZeroMQ restores a broken connection, in milliseconds: late enough for the interchange to notice the
#: break, after which messages may be missing.
RESTORE_AFTER_MS = 1000


class NoInterchange(Exception):
    """No address led to the interchange; the text is the reason."""


class RefusedByInterchange(Exception):
    """The interchange refused this manager; the text is its reason."""


def connect(settings: ManagerSettings, register: Register) -> Connection:
    """Connect and register with the interchange. Return the connection over which it accepted.

    The registration gets the number that the interchange has given to the manager.
    A NoInterchange error has a line for each address; a RefusedByInterchange error has the reason.
    """
    report: list[str] = []
    for endpoint, connection in _connections(settings, register, report):
        try:
            answer = _Registration(connection, register).wait_answer(settings.heartbeat_threshold_s)
        except NoInterchange as error:
            connection.close(0)
            report.append(f"{endpoint}: {error}")
        else:
            if isinstance(answer, Welcome):
                register.number = answer.number
                return connection
            connection.close(0)
            raise RefusedByInterchange(answer.reason)
    raise NoInterchange("No address leads to the interchange:\n" + "\n".join(f"  {line}" for line in report))


def _connections(
    settings: ManagerSettings, register: Register, report: list[str]
) -> Iterator[tuple[str, Connection]]:
    """Yield accepted connections: the local one first, then the others in the order in which they answer."""
    path = settings.local_socket
    if path and (not settings.port or settings.local_host == register.host):
        try:
            stream = connections.open_stream(path)
        except OSError as error:
            report.append(f"{path}: {error.strerror or error}")
        else:
            yield path, connections.StreamConnection(stream, path)
    if settings.port:
        for endpoint in _accepting_endpoints(settings.addresses, settings.port, report):
            import zmq

            yield (
                endpoint,
                connections.ZmqConnection(make_dealer(zmq.Context(), settings, register.manager), endpoint),
            )


def make_dealer(context: Any, settings: ManagerSettings, name: str) -> Any:
    """Return a manager's ZeroMQ socket, with its keys, not connected yet."""
    import zmq

    sock = context.socket(zmq.DEALER)
    sock.setsockopt(zmq.ROUTING_ID, name.encode())
    for option, value in (
        (zmq.SNDHWM, 0),
        (zmq.RCVHWM, 0),
        (zmq.MAXMSGSIZE, MAX_BYTES),
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.IPV6, 1),
        (zmq.RECONNECT_IVL, RESTORE_AFTER_MS),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_TIMEOUT_MS),
        (zmq.LINGER, 0),  # otherwise messages for a connection that ZeroMQ gave up stay: see `reconnect`
    ):
        sock.setsockopt(option, value)
    keys = settings.keys
    if keys is None and settings.cert_dir:
        from parsl.curvezmq import load_client_keys

        keys = load_client_keys(settings.cert_dir)
    if keys is not None:
        sock.curve_publickey = keys.public
        sock.curve_secretkey = keys.secret
        sock.curve_serverkey = keys.peer_public
    return sock


class _Registration:
    """One attempt to register over one connection."""

    def __init__(self, connection: Connection, register: Register) -> None:
        self._connection = connection
        self._head = protocol.encode(register)
        self._began_at = self._proven_at = time.monotonic()
        self._was_proven = False
        self._overdue_at = self._began_at + REPLACE_AFTER_S
        self._poll = self._watch()

    def wait_answer(self, threshold_s: float) -> Welcome | Refused:
        """Register, and wait for a valid answer.

        An interchange that is proven to be ours, with which thousands may register at once, has as long as
        it has later between two heartbeats.
        """
        self._send()
        while True:
            if self._connection.was_interrupted():
                self._send()  # the earlier registration may be lost, with its reader
            now = time.monotonic()
            if self._connection.is_proven:
                self._proven_at, self._was_proven = now, True
            try:
                if (answer := self._take_answer()) is not None:
                    return answer
            except EOFError:
                self._reopen()
            except protocol.DecodeError:
                raise NoInterchange("connected, but received no valid answer") from None
            end = self._began_at + max(threshold_s, UNPROVEN_TIMEOUT_S)
            end = min(end, self._proven_at + UNPROVEN_TIMEOUT_S)
            if now >= end:
                raise self._no_answer(now - self._began_at)
            if not self._connection.has_input():
                self._poll.poll(min(end - now, connections.RECONNECT_AFTER_S) * 1000)
            is_overdue = not self._was_proven and now >= self._overdue_at
            if self._connection.reconnect(is_overdue=is_overdue):
                self._overdue_at = now + REPLACE_AFTER_S
                self._send()

    def _send(self) -> None:
        self._connection.send([self._head])

    def _take_answer(self) -> Welcome | Refused | None:
        messages = self._connection.receive()
        for at, parts in enumerate(messages):
            answer = protocol.decode_to_manager(parts[0])
            if isinstance(answer, (Welcome, Refused)):
                self._connection.requeue(messages[at + 1 :])
                return answer
        return None

    def _reopen(self) -> None:
        """The interchange was lost, but another may have replaced it."""
        time.sleep(REOPEN_AFTER_S)
        if not self._connection.reopen():
            raise NoInterchange("the interchange closed the connection without a valid answer")
        self._send()
        self._poll = self._watch()

    def _no_answer(self, waited_s: float) -> NoInterchange:
        if self._was_proven:
            return NoInterchange(
                f"the interchange gave no valid answer to the registration within {rounded_s(waited_s)}"
            )
        return NoInterchange(
            f"connected, but there was no valid answer within {UNPROVEN_TIMEOUT_S:g} s "
            "(another service on that port, or keys that do not match)"
        )

    def _watch(self) -> select.poll:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if (alarm := self._connection.alarm_fileno()) is not None:
            poll.register(alarm, select.POLLIN)
        return poll


def _accepting_endpoints(addresses: list[str], port: int, report: list[str]) -> Iterator[str]:
    """Try all addresses at once; yield each endpoint when it accepts."""
    trying: dict[int, tuple[socket.socket, str]] = {}
    poll = select.poll()
    for address in addresses:
        endpoint = f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
        try:
            sock = _begin_connect(address, port)
        except OSError as error:
            report.append(f"{endpoint}: {error.strerror or error}")
            continue
        trying[sock.fileno()] = (sock, endpoint)
        poll.register(sock, select.POLLOUT)
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    try:
        while trying:
            # Poll once more after the deadline: the caller may have used much time for the last endpoint.
            events = poll.poll(max(0, int((deadline - time.monotonic()) * 1000) + 1))
            if not events:
                break
            for fd, _ in events:
                sock, endpoint = trying.pop(fd)
                poll.unregister(fd)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                sock.close()
                if code:
                    report.append(f"{endpoint}: {os.strerror(code)}")
                else:
                    yield endpoint
        report += [f"{name}: no connection within {CONNECT_TIMEOUT_S:g} s" for _, name in trying.values()]
    finally:
        for sock, _ in trying.values():
            sock.close()


def _begin_connect(address: str, port: int) -> socket.socket:
    *kind, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(*kind)
    sock.setblocking(False)
    code = sock.connect_ex(target)
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock
