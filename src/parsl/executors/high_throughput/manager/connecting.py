"""How a manager finds its interchange: every way is tried, and a failure says what became of each."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

from parsl.executors.high_throughput.wire.connections import (
    REVIVE_AFTER_S,
    Connection,
    StreamConnection,
    ZmqConnection,
)
from parsl.executors.high_throughput.wire.message_stream import MAX_BYTES, MessageStream
from parsl.executors.high_throughput.wire.protocol import (
    DecodeError,
    Refused,
    Register,
    Welcome,
    decode_to_manager,
    encode,
)
from parsl.executors.high_throughput.wire.settings import ManagerSettings

#: How long an address has to accept a connection, in seconds.
CONNECT_TIMEOUT_S = 10.0
#: How long somebody of whom nothing shows that it is our interchange has to answer, in seconds.
STRANGER_TIMEOUT_S = 40.0
#: How long ZeroMQ waits for the rest of a handshake, in milliseconds, before it connects again. Long enough
#: for an interchange to which thousands come at once; short enough for another attempt within the time above.
HANDSHAKE_TIMEOUT_MS = 18_000
#: When the local socket of a lost interchange is tried again, in seconds.
REOPEN_AFTER_S = 0.05
#: When a closed connection is tried again, in milliseconds: late enough for the interchange to notice that it
#: was closed, and that something may have been lost.
RECONNECT_AFTER_MS = 1000


class NoInterchange(Exception):
    """No address led to the interchange; the text says what became of each."""


class RefusedByInterchange(Exception):
    """The interchange answered and does not want this manager; the text is its reason."""


def connect(settings: ManagerSettings, register: Register) -> Connection:
    """Connect and register with the interchange.

    Returns: the connection, on which the interchange has said welcome.
    Raises: NoInterchange with a report for every address; RefusedByInterchange.
    """
    report: list[str] = []
    for endpoint, connection in _connections(settings, register, report):
        try:
            answer = _await_answer(connection, register, settings.heartbeat_threshold_s)
        except NoInterchange as error:
            connection.close(0)
            report.append(f"{endpoint}: {error}")
        else:
            if isinstance(answer, Welcome):
                return connection
            connection.close(0)
            raise RefusedByInterchange(answer.reason)
    raise NoInterchange("No address leads to the interchange:\n" + "\n".join(f"  {line}" for line in report))


def _connections(
    settings: ManagerSettings, register: Register, report: list[str]
) -> Iterator[tuple[str, Connection]]:
    """Connections that were accepted: the local one first, then the others as they answer."""
    is_near = not settings.port or settings.local_host == register.host
    path = settings.local_socket
    if path and is_near and (stream := _connect_locally(path, report)):
        yield path, StreamConnection(stream, lambda: _connect_locally(path, []))
    if settings.port:
        for endpoint in _accepting(settings.addresses, settings.port, report):
            yield endpoint, _open(settings, register.manager, endpoint)


def _open(settings: ManagerSettings, name: str, endpoint: str) -> Connection:
    import zmq

    return ZmqConnection(make_dealer(zmq.Context(), settings, name), endpoint)


def make_dealer(context: Any, settings: ManagerSettings, name: str) -> Any:
    """A manager's ZeroMQ socket, with its keys, before it connects."""
    import zmq

    sock = context.socket(zmq.DEALER)
    sock.setsockopt(zmq.ROUTING_ID, name.encode())
    for option, value in (
        (zmq.SNDHWM, 0),
        (zmq.RCVHWM, 0),
        (zmq.MAXMSGSIZE, MAX_BYTES),
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.IPV6, 1),
        (zmq.RECONNECT_IVL, RECONNECT_AFTER_MS),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_TIMEOUT_MS),
        (zmq.LINGER, 0),  # or it would keep what waits for a connection that it has given up: see `revive`
    ):
        sock.setsockopt(option, value)
    if settings.cert_dir:
        from parsl.curvezmq import load_client_keys

        keys = load_client_keys(settings.cert_dir)
        sock.curve_publickey = keys.public
        sock.curve_secretkey = keys.secret
        sock.curve_serverkey = keys.server_public
    return sock


def _await_answer(connection: Connection, register: Register, threshold_s: float) -> Welcome | Refused:
    """Register, and wait: for our interchange, to which thousands may come at once, as long as later, too.

    Raises: NoInterchange.
    """
    connection.send([encode(register)])
    begun = proven_at = time.monotonic()
    was_proven = False
    poll = _watch(connection)
    while True:
        if connection.was_interrupted():
            connection.send([encode(register)])  # what was sent before may be lost, with its reader
        now = time.monotonic()
        if connection.is_proven:
            proven_at, was_proven = now, True
        try:
            if (answer := _take_answer(connection)) is not None:
                return answer
        except EOFError:  # the interchange was lost; there may be another in its place
            time.sleep(REOPEN_AFTER_S)
            if not connection.reopen():
                raise NoInterchange("the interchange closed the connection without a valid answer") from None
            connection.send([encode(register)])
            poll = _watch(connection)
        except DecodeError:
            raise NoInterchange("connected, but what came was no valid answer") from None
        end = min(begun + max(threshold_s, STRANGER_TIMEOUT_S), proven_at + STRANGER_TIMEOUT_S)
        if now >= end:
            break
        if not connection.has_input():
            poll.poll(min(end - now, REVIVE_AFTER_S) * 1000)
        if connection.revive():
            connection.send([encode(register)])
    if was_proven:
        raise NoInterchange(
            f"the interchange gave no valid answer to the registration within {now - begun:.3g} s"
        )
    raise NoInterchange(
        f"connected, but there was no valid answer within {STRANGER_TIMEOUT_S:g} s "
        "(another service on that port, or keys that do not match)"
    )


def _take_answer(connection: Connection) -> Welcome | Refused | None:
    messages = connection.receive()
    for at, parts in enumerate(messages):
        answer = decode_to_manager(parts[0])
        if isinstance(answer, (Welcome, Refused)):
            connection.give_back(messages[at + 1 :])
            return answer
    return None


def _watch(connection: Connection) -> select.poll:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if (alarm := connection.alarm_fileno()) is not None:
        poll.register(alarm, select.POLLIN)
    return poll


def _connect_locally(path: str, report: list[str]) -> MessageStream | None:
    """Connect if the socket is on this host and its directory is really the user's alone."""
    try:
        directory = os.stat(os.path.dirname(path))
        if directory.st_uid != os.getuid() or directory.st_mode & 0o077:
            report.append(f"{path}: its directory is open to others")
            return None
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(CONNECT_TIMEOUT_S)
            sock.connect(path)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        report.append(f"{path}: {error.strerror or error}")
        return None
    return MessageStream(sock)


def nobody_listens(path: str) -> bool:
    """Whether a unix socket is left of processes that have all ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(CONNECT_TIMEOUT_S)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _accepting(addresses: list[str], port: int, report: list[str]) -> Iterator[str]:
    """Try all addresses at once; yield each as it accepts."""
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
            # Looked at once more after the deadline: whoever got an endpoint may have taken long over it.
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
        report += [
            f"{endpoint}: no connection within {CONNECT_TIMEOUT_S:g} s" for _, endpoint in trying.values()
        ]
    finally:
        for sock, _ in trying.values():
            sock.close()


def _begin_connect(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    code = sock.connect_ex(target)
    if code not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock
