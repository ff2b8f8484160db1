"""Tasks on several nodes: each holds a placement group while it runs, and runs on the first of its nodes."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from parsl.executors.engines.requests import Request
from parsl.executors.ray.requests import bundle

#: The variables by which a task learns its nodes, as under the MPIExecutor.
COUNT_VARIABLE = "PARSL_NUM_NODES"
NAMES_VARIABLE = "PARSL_MPI_NODELIST"


def new_group(ray: ModuleType, request: Request) -> Any:
    """Return a placement group for a task: as many different nodes as it requests."""
    placement = import_module("ray.util.placement_group")
    return placement.placement_group([bundle(request)] * (request.num_nodes or 1), strategy="STRICT_SPREAD")


def strategy_of(group: Any) -> Any:
    """Return the scheduling strategy that runs a task on the first node of a group."""
    strategies = import_module("ray.util.scheduling_strategies")
    return strategies.PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)


def remove_group(group: Any) -> None:
    """Release the nodes of a group. Waits for Ray's answer."""
    import_module("ray.util.placement_group").remove_placement_group(group)


def run_on_nodes(function: Callable[..., Any], packed: bytes, *kept: Any) -> Any:
    """Run a call with the names of the task's nodes in the environment. Runs inside Ray.

    Args:
        function: What runs a call on one node: ``run_call`` or ``run_and_keep``.
        packed: The call.
        kept: Further arguments of ``function``.
    """
    hosts = _hosts_of_this_group()
    variables = {COUNT_VARIABLE: str(len(hosts)), NAMES_VARIABLE: ",".join(hosts)}
    os.environ.update(variables)
    try:
        return function(packed, *kept)
    finally:
        for name in variables:
            os.environ.pop(name, None)


def _hosts_of_this_group() -> list[str]:
    ray = import_module("ray")
    placement = import_module("ray.util.placement_group")
    table = placement.placement_group_table(placement.get_current_placement_group())
    names = {
        node["NodeID"]: node.get("NodeManagerHostname") or node["NodeManagerAddress"] for node in ray.nodes()
    }
    by_bundle = table["bundles_to_node_id"]
    return [names.get(by_bundle[number], by_bundle[number]) for number in sorted(by_bundle)]
