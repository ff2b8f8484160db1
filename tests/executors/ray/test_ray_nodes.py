"""Reading the list of a cluster's nodes."""

from __future__ import annotations

from typing import Any

from parsl.executors.engines.requests import Node
from parsl.executors.ray.nodes import MAX_AGE_S, NodeTable, RayNode, read_nodes

#: As Ray 2.60 returns it.
ENTRY: dict[str, Any] = {
    "NodeID": "e375",
    "Alive": True,
    "NodeManagerAddress": "127.0.0.1",
    "NodeManagerHostname": "n1",
    "NodeName": "127.0.0.1",
    "Resources": {
        "node:__internal_head__": 1.0,
        "CPU": 2.0,
        "node:127.0.0.1": 1.0,
        "object_store_memory": 7176478310.0,
        "memory": 1048576000.0,
        "licence": 3.0,
    },
}


def test_a_node_has_what_ray_reports() -> None:
    (node,) = read_nodes([ENTRY])
    assert node == RayNode(
        "e375", "n1", "127.0.0.1", Node(cores=2, memory=1000, gpus=0, resources={"licence": 3})
    )


def test_dead_nodes_are_left_out() -> None:
    assert read_nodes([{**ENTRY, "Alive": False}]) == ()


def test_a_node_without_cores_has_none() -> None:
    (node,) = read_nodes([{**ENTRY, "Resources": {}}])
    assert node.capacity.cores == 0


def test_the_list_is_fetched_again_only_when_it_is_old() -> None:
    now_s, fetched = [0.0], []

    def fetch() -> list[dict[str, Any]]:
        fetched.append(now_s[0])
        return [ENTRY] * len(fetched)

    table = NodeTable(fetch, lambda: now_s[0])
    assert len(table.get()) == len(table.get()) == 1
    now_s[0] = MAX_AGE_S + 1
    assert len(table.get()) == 2
    assert len(table.fetch()) == 3
    assert repr(table) == "<NodeTable, 3 nodes>"
