"""Which manager is behind which connection, so that a connection that closes need not be looked for."""

from __future__ import annotations


class Peers:
    """Descriptors of connections and the names of managers, as far as known. Owned by the interchange's loop.

    What is told of connections comes on two ways, messages and news of closed connections, and in no order:
    the number of a descriptor may be another connection's already when its closing is told.
    """

    def __init__(self) -> None:
        self._descriptors: dict[bytes, int] = {}
        self._names: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<Peers known={len(self._descriptors)}>"

    def __contains__(self, name: bytes) -> bool:
        return name in self._descriptors

    def learn(self, name: bytes, descriptor: int) -> bytes | None:
        """A manager's message has come over this connection.

        Returns: whose connection had that descriptor before: it must be closed by now.
        """
        before = self._names.get(descriptor)
        self.forget(name)
        if before is not None:
            self.forget(before)
        self._descriptors[name] = descriptor
        self._names[descriptor] = name
        return before if before != name else None

    def closed(self, descriptor: int) -> bytes | None:
        """A connection has closed. Returns: whose it was, or is by now; None if nobody's that matters."""
        name = self._names.get(descriptor)
        if name is not None:
            self.forget(name)
        return name

    def forget(self, name: bytes) -> None:
        """The next message of this manager may come over another connection."""
        descriptor = self._descriptors.pop(name, None)
        if descriptor is not None:
            del self._names[descriptor]
