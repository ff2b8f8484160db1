"""The nodes of a Ray cluster, and what they have for tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from parsl.executors.engines.requests import Node
from parsl.executors.ray.requests import MB

#: How old the list of nodes may be when a request is compared with it, in seconds.
MAX_AGE_S = 5.0

#: Resources that Ray has on its own account, by the beginnings of their names.
_OF_RAY = ("CPU", "GPU", "memory", "object_store_memory", "node:", "bundle_")


class RayNode(NamedTuple):
    """One living node of the cluster."""

    node_id: str
    host: str
    #: The name that ``ray start --node-name`` has given it; its address otherwise.
    name: str
    capacity: Node


def read_nodes(table: Iterable[Mapping[str, Any]]) -> tuple[RayNode, ...]:
    """Return the living nodes of what ``ray.nodes()`` returns."""
    return tuple(
        RayNode(
            node_id=entry["NodeID"],
            host=entry.get("NodeManagerHostname") or entry.get("NodeManagerAddress", ""),
            name=entry.get("NodeName", ""),
            capacity=_capacity(entry.get("Resources", {})),
        )
        for entry in table
        if entry.get("Alive")
    )


def _capacity(resources: Mapping[str, float]) -> Node:
    return Node(
        cores=resources.get("CPU", 0),
        memory=resources.get("memory", 0) / MB,
        gpus=resources.get("GPU", 0),
        resources={name: amount for name, amount in resources.items() if not name.startswith(_OF_RAY)},
    )


class NodeTable:
    """The nodes of a cluster, fetched anew when the last list is too old. Any thread may use it.

    Args:
        fetch: Returns what ``ray.nodes()`` returns.
        clock: Returns the time, in seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], Iterable[Mapping[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._nodes: tuple[RayNode, ...] = ()
        self._fetched_s: float | None = None

    def __repr__(self) -> str:
        return f"<NodeTable, {len(self._nodes)} nodes>"

    def get(self) -> tuple[RayNode, ...]:
        """Return the nodes; they may be :data:`MAX_AGE_S` old."""
        if self._fetched_s is None or self._clock() - self._fetched_s > MAX_AGE_S:
            return self.fetch()
        return self._nodes

    def fetch(self) -> tuple[RayNode, ...]:
        """Return the nodes as they are now."""
        self._nodes = read_nodes(self._fetch())
        self._fetched_s = self._clock()
        return self._nodes
