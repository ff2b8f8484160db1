"""The sockets that managers connect to, bound by the driver so that a bad port is an error at once."""

from __future__ import annotations

import errno
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from parsl.errors import ConfigurationError

#: Connections that may wait until the interchange takes them: all managers of a large machine at once.
BACKLOG = 16384
#: Longest path of a unix socket, in bytes (sockaddr_un.sun_path, less the final zero).
_MAX_PATH = 107


def listen_tcp(owner: str, address: str, port: int | None, ports: tuple[int, int]) -> socket.socket:
    """Bind and listen, on a given port or on a free one of a range.

    Args:
        owner: the executor's name, for errors.
        address: local address to bind; '' for all.
        port: the port, or None to look in the range.
        ports: first port and the one after the last.

    Raises: ConfigurationError naming the ports that were tried.
    """
    candidates = [port] if port is not None else _shuffled(*ports)
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


def _shuffled(low: int, high: int) -> list[int]:
    candidates = list(range(low, high))
    random.shuffle(candidates)
    return candidates


class LocalSocket(NamedTuple):
    """A unix socket that listens, in a directory that only the user can enter."""

    sock: socket.socket
    path: Path
    #: The directory, if it was made for the socket and has to be removed with it; else empty.
    made: str

    def close(self) -> None:
        """Close it, and remove what was made for it."""
        self.sock.close()
        with suppress(OSError):
            self.path.unlink()
        if self.made:
            with suppress(OSError):
                os.rmdir(self.made)


def listen_unix(directory: Path) -> LocalSocket | None:
    """Bind and listen in a directory that only the user can enter.

    Where its file system or the length of its path does not allow that, a short directory for temporary files
    is made for the socket.

    Returns: the socket; None if none is possible anywhere.
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
    if len(os.fsencode(path)) > _MAX_PATH:
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
    """Whether this host can bind `address`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
