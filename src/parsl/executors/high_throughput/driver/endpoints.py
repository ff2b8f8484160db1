"""Where managers find the interchange, and the memory that those on the driver's host share with it.

All of it belongs to the driver: it is bound before there is an interchange, which inherits it, and is still
there for the one that takes a lost one's place.
"""

from __future__ import annotations

import socket
from pathlib import Path

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.driver.listening import (
    LocalSocket,
    is_local_address,
    listen_tcp,
    listen_unix,
)
from parsl.executors.high_throughput.wire.arena import Arena
from parsl.executors.high_throughput.wire.spool import Spool, make_spool

_LOOPBACK = "127.0.0.1"


class Endpoints:
    """The sockets that managers connect to, the spool and the arena of one executor.

    Args:
        owner: the executor's name, for errors.
        address: what the user has said is this host's address; None for all that it has.
        is_local: managers can only come from this host.
        port: the TCP port; None for a free one.
        ports: the first port that may be used, and the one after the last; None for any.
    """

    def __init__(
        self,
        owner: str,
        *,
        address: str | None,
        is_local: bool,
        port: int | None,
        ports: tuple[int, int] | None,
    ) -> None:
        self._owner = owner
        self._address = address
        self._is_local = is_local
        self._port = port
        self._ports = ports
        self.local: LocalSocket | None = None
        self.tcp: socket.socket | None = None
        self._spool: Spool | None = None
        #: Memory for middle-sized arguments; None where workers can be on other hosts.
        self.arena: Arena | None = None

    def __repr__(self) -> str:
        return f"<Endpoints port={self.port} local={self.local_path!r} spool={self.spool!r}>"

    def bind(self, directory: Path) -> None:
        """Listen, on as few interfaces as will do, and make room in memory where that can be shared.

        Args:
            directory: where only the user can go.

        Raises: ConfigurationError; `close` is due all the same.
        """
        self.local = listen_unix(directory)
        if self._is_local and self.local is not None:
            self._spool = make_spool()
            if self._spool is not None:
                self.arena = Arena(self.spool)
            if self._address is None and self._port is None:
                return  # nobody can come from elsewhere: nothing has to listen on a network
        self.tcp = listen_tcp(self._owner, self._interface(), self._port, self._ports or (0, 1))

    def _interface(self) -> str:
        """The address to bind; empty for all."""
        address = self._address
        if address is None:
            return _LOOPBACK if self._is_local else ""
        try:
            found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0]
        except OSError as error:
            raise ConfigurationError(
                f"{self._owner}: address is {address!r}, which this host cannot resolve ({error}). "
                "Give an address or a name of this host that the workers can reach."
            ) from error
        return str(found) if is_local_address(str(found)) else ""

    @property
    def spool(self) -> str:
        """The directory for large payloads; empty where workers can be on other hosts."""
        return self._spool.directory if self._spool else ""

    @property
    def sockets(self) -> list[socket.socket]:
        """Those that an interchange inherits."""
        both = (self.tcp, self.local.sock if self.local else None)
        return [sock for sock in both if sock is not None]

    @property
    def port(self) -> int:
        """The TCP port for managers; 0 if there is none."""
        return 0 if self.tcp is None else int(self.tcp.getsockname()[1])

    @property
    def tcp_endpoint(self) -> str:
        """Where ZeroMQ is to say that it listens."""
        host = self.tcp.getsockname()[0] if self.tcp else ""
        return f"tcp://[{host}]:{self.port}" if ":" in host else f"tcp://{host}:{self.port}"

    @property
    def local_path(self) -> str:
        """The path of the unix socket; empty if there is none."""
        return str(self.local.path) if self.local else ""

    @property
    def made_directory(self) -> str:
        """The directory that was made for the unix socket, and goes with it; empty if none was."""
        return self.local.made if self.local else ""

    def addresses(self) -> list[str]:
        """Where managers are to try, those that are most likely to answer first."""
        if self._address is not None:
            return [self._address]
        if self._is_local:
            return [_LOOPBACK]
        from parsl.addresses import get_all_addresses

        found = get_all_addresses()
        return sorted(found, key=lambda address: (address.startswith("127."), ":" in address, address))

    def stop_listening(self) -> None:
        """No interchange comes any more, and managers must not wait for one."""
        for sock in self.sockets:
            sock.close()

    def disown(self) -> None:
        """Let go of everything in a forked child: it is the parent's."""
        self.arena = None
        if self._spool is not None:
            self._spool.let_go()
            self._spool = None
        self.stop_listening()

    def close(self) -> None:
        """Close and remove all that there is."""
        if self.tcp is not None:
            self.tcp.close()
        if self.local is not None:
            self.local.close()
        if self.arena is not None:
            self.arena.close()
        if self._spool is not None:
            self._spool.remove()
            self._spool = None
