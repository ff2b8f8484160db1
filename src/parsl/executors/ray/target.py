"""What an executor connects to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The beginning of the address of a Ray Client server.
CLIENT_PREFIX = "ray://"


@dataclass(frozen=True)
class Target:
    """A Ray cluster that exists, or one to start. Executors with equal targets share one connection."""

    #: Where it is; None to start one on this machine.
    address: str | None = None
    #: The address of this machine at which nodes of a cluster that is started reach its head; None if it has
    #: no other nodes, and listens on the loopback only.
    host: str | None = None
    #: A file for the token that nodes need to join a cluster that is started; None for one of the session.
    token_file: str | None = None
    #: What the head of a cluster that is started has for tasks; None for all that Ray finds.
    num_cpus: int | None = None
    num_gpus: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    #: Further arguments of ``ray.init``.
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "a cluster of its own" if self.address is None else f"the cluster at {self.address}"

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """The host and port of the address; None if it has none, such as ``"auto"``."""
        host, _, port = (self.address or "").removeprefix(CLIENT_PREFIX).rpartition(":")
        return (host.strip("[]"), int(port)) if host and port.isdigit() else None

    @property
    def is_client(self) -> bool:
        """Whether the address is that of a Ray Client server."""
        return (self.address or "").startswith(CLIENT_PREFIX)
