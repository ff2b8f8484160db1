"""How a manager finds its interchange: every way is tried, and a failure says what became of each."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from typing import Any, Iterator

import zmq

from parsl.executors.high_throughput.protocol import (
    DecodeError,
    Refused,
    Register,
    Welcome,
    decode_to_manager,
    encode,
)
from parsl.executors.high_throughput.settings import ManagerSettings

#: How long an address has to accept a connection, in seconds.
CONNECT_TIMEOUT_S = 10.0
#: How long an interchange has to answer the registration, in seconds.
ANSWER_TIMEOUT_S = 20.0


class NoInterchange(Exception):
    """No address led to the interchange; the text says what became of each."""


class RefusedByInterchange(Exception):
    """The interchange answered and does not want this manager; the text is its reason."""


def connect(context: zmq.Context[Any], settings: ManagerSettings, register: Register) -> tuple[Any, Welcome]:
    """Connect and register with the interchange.

    Returns: the connected DEALER socket and the interchange's welcome.
    Raises: NoInterchange with a report for every address; RefusedByInterchange.
    """
    report: list[str] = []
    for endpoint in _reachable(settings, report):
        sock = _open(context, settings, register.manager, is_local=endpoint.startswith("ipc:"))
        sock.connect(endpoint)
        sock.send(encode(register))
        answer = _await_answer(sock)
        if isinstance(answer, Welcome):
            return sock, answer
        sock.close(linger=0)
        if isinstance(answer, Refused):
            raise RefusedByInterchange(answer.reason)
        report.append(
            f"{endpoint}: connected, but there was no valid answer within {ANSWER_TIMEOUT_S:g} s "
            "(another service on that port, or keys that do not match)"
        )
    raise NoInterchange("No address leads to the interchange:\n" + "\n".join(f"  {line}" for line in report))


def _open(context: zmq.Context[Any], settings: ManagerSettings, name: str, *, is_local: bool) -> Any:
    sock = context.socket(zmq.DEALER)
    sock.setsockopt(zmq.ROUTING_ID, name.encode())
    for option, value in ((zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.LINGER, 1000), (zmq.IPV6, 1)):
        sock.setsockopt(option, value)
    sock.setsockopt(zmq.TCP_KEEPALIVE, 1)
    if settings.cert_dir and not is_local:  # the local socket is guarded by its directory
        from parsl.curvezmq import load_client_keys

        keys = load_client_keys(settings.cert_dir)
        sock.curve_publickey = keys.public
        sock.curve_secretkey = keys.secret
        sock.curve_serverkey = keys.server_public
    return sock


def _await_answer(sock: Any) -> Welcome | Refused | None:
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while sock.poll(max(0, int((deadline - time.monotonic()) * 1000))):
        try:
            answer = decode_to_manager(sock.recv_multipart()[0])
        except DecodeError:
            return None
        if isinstance(answer, (Welcome, Refused)):
            return answer
    return None


def _reachable(settings: ManagerSettings, report: list[str]) -> Iterator[str]:
    """Endpoints that accept connections, the local one first, then the others as they answer."""
    if settings.local_socket and _local_accepts(settings.local_socket):
        yield f"ipc://{settings.local_socket}"
    yield from _accepting(settings.addresses, settings.port, report)


def _local_accepts(path: str) -> bool:
    """Whether this is the interchange's own host, and its directory is really the user's."""
    try:
        directory = os.stat(os.path.dirname(path))
        if directory.st_uid != os.getuid() or directory.st_mode & 0o077:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(CONNECT_TIMEOUT_S)
            sock.connect(path)
    except OSError:
        return False
    return True


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
        while trying and (left := deadline - time.monotonic()) > 0:
            for fd, _ in poll.poll(int(left * 1000) + 1):
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
