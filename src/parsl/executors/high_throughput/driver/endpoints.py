"""The sockets that managers connect to, and the memory that managers on the driver's host share with it.

The driver binds and owns both: an interchange inherits them, and so does its replacement.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from parsl.common.system import MAX_SOCKET_PATH
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.wire.arena import Arena
from parsl.executors.high_throughput.wire.spool import Spool, make_spool

#: Connections that may wait until the interchange accepts them: all managers of a large machine at once.
BACKLOG = 16384
_LOOPBACK = "127.0.0.1"


class Endpoints:
    """The sockets for managers, the spool and the arena of one executor.

    They listen on as few interfaces as possible, and there is shared memory only where it can be used.
    `ports` are the first port and the one after the last.
    """

    def __init__(
        self,
        owner: str,
        directory: Path,
        *,
        address: str | None,
        is_local: bool,
        port: int | None,
        ports: tuple[int, int] | None,
    ) -> None:
        self._address = address
        self._is_local = is_local
        self.local = listen_unix(directory)
        self.tcp: socket.socket | None = None
        self._spool: Spool | None = None
        #: Memory for medium-sized arguments; None where workers can run on other hosts.
        self.arena: Arena | None = None
        try:
            if is_local and self.local is not None:
                self._spool = make_spool()
                if self._spool is not None:
                    self.arena = Arena(self.spool)
                if address is None and port is None:
                    return  # managers only connect from this host: no network port is needed
            self.tcp = listen_tcp(owner, self._interface(owner), port, ports or (0, 1))
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Endpoints port={self.port} local={self.local} spool={self.spool!r}>"

    def _interface(self, owner: str) -> str:
        """The address to bind; empty for all."""
        address = self._address
        if address is None:
            return _LOOPBACK if self._is_local else ""
        try:
            found = str(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError as error:
            raise ConfigurationError(
                f"{owner}: address is {address!r}, which this host cannot resolve ({error}). "
                "Give an address or a name of this host that the workers can reach."
            ) from error
        return found if is_local_address(found) else ""

    @property
    def spool(self) -> str:
        """The directory for large payloads; empty where workers can run on other hosts."""
        return self._spool.directory if self._spool else ""

    @property
    def sockets(self) -> list[socket.socket]:
        """The listening sockets, which an interchange inherits."""
        return [sock for sock in (self.tcp, self.local and self.local.sock) if sock is not None]

    @property
    def port(self) -> int:
        """The TCP port for managers; 0 if there is none."""
        return 0 if self.tcp is None else int(self.tcp.getsockname()[1])

    @property
    def tcp_endpoint(self) -> str:
        """The listening address in ZeroMQ's notation."""
        host = self.tcp.getsockname()[0] if self.tcp else ""
        return f"tcp://[{host}]:{self.port}" if ":" in host else f"tcp://{host}:{self.port}"

    def addresses(self) -> list[str]:
        """The addresses that managers try, the most likely to answer first."""
        if self._address is not None:
            return [self._address]
        if self._is_local:
            return [_LOOPBACK]
        from parsl.addresses import get_all_addresses

        found = get_all_addresses()
        return sorted(found, key=lambda address: (address.startswith("127."), ":" in address, address))

    def stop_listening(self) -> None:
        """Close the sockets: without an interchange, managers must not wait for an answer."""
        for sock in self.sockets:
            sock.close()

    def disown(self) -> None:
        self.arena = None
        if self._spool is not None:
            self._spool.let_go()
            self._spool = None
        self.stop_listening()

    def close(self) -> None:
        for opened in (self.tcp, self.local, self.arena):
            if opened is not None:
                opened.close()
        if self._spool is not None:
            self._spool.remove()
            self._spool = None


class LocalSocket(NamedTuple):
    """A listening unix socket in a directory that only the user can enter."""

    sock: socket.socket
    path: Path
    #: The directory, if it was created for the socket and has to be removed with it; else empty.
    made: str

    def close(self) -> None:
        self.sock.close()
        with suppress(OSError):
            self.path.unlink()
        if self.made:
            with suppress(OSError):
                os.rmdir(self.made)


def listen_tcp(owner: str, address: str, port: int | None, ports: tuple[int, int]) -> socket.socket:
    """Bind and listen on a given port, or on a free one of a range; an empty address stands for all."""
    candidates = [port] if port is not None else random.sample(range(*ports), ports[1] - ports[0])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    refusal: OSError | None = None
    for candidate in candidates:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, candidate))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            refusal = error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                break
        else:
            return sock
    tried = f"port {port}" if port is not None else f"every port of the range {ports[0]}-{ports[1] - 1}"
    where = address or "all interfaces"
    reason = refusal.strerror if refusal else "the range is empty"
    parameter = "worker_port" if port is not None else "worker_port_range"
    raise ConfigurationError(
        f"{owner}: {tried} on {where} cannot be used: {reason}. Choose another {parameter}, "
        "or None for any free port."
    )


def listen_unix(directory: Path) -> LocalSocket | None:
    """Bind and listen in a directory that only the user can enter. Return None if that is possible nowhere.

    If the directory's file system or the length of its path rules out a socket, the socket gets a new, short
    directory among the temporary files.
    """
    path = directory / "managers.sock"
    if (sock := _listen_at(path)) is not None:
        return LocalSocket(sock, path, "")
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        try:
            made = tempfile.mkdtemp(prefix="parsl-", dir=parent)
        except OSError:
            continue
        path = Path(made, "managers.sock")
        if (sock := _listen_at(path)) is not None:
            return LocalSocket(sock, path, made)
        os.rmdir(made)
    return None


def _listen_at(path: Path) -> socket.socket | None:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        return None
    return sock


def is_local_address(address: str) -> bool:
    """Return whether this host can bind `address`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
