"""What a provider determines about nodes and managers before there are any."""

from __future__ import annotations

import os

from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings


def runs_on_this_host(provider: object) -> bool:
    """Return whether managers can only run on this host, and share its file system."""
    from parsl.providers import LocalProvider

    is_local = type(provider) is LocalProvider and provider.nodes_per_block == 1
    return is_local and starts_managers_directly(provider)


def starts_managers_directly(provider: object) -> bool:
    """Return whether the job itself starts managers, without a program that might bind them to CPUs."""
    from parsl.launchers import SimpleLauncher, SingleNodeLauncher

    return type(getattr(provider, "launcher", None)) in (SimpleLauncher, SingleNodeLauncher)


def cpus_of_node(provider: object) -> int | None:
    """Return how many CPUs a provider requests on each node; None if it does not state a number.

    A single one is the default of some providers, whose schedulers then decide.
    """
    stated = getattr(provider, "cpus_per_node", None) or getattr(provider, "cores_per_node", None)
    return stated if isinstance(stated, int) and stated > 1 else None


def expected_workers(settings: WorkerPoolSettings, provider: object, *, is_local: bool) -> int | None:
    """Return how many workers a node will have, before there is one, as far as that is determined.

    Args:
        settings: The settings of the executor.
        provider: The provider, which may state the CPUs and the memory of a node.
        is_local: Whether the node is this host.
    """
    from parsl.executors.high_throughput.node import facts, worker_count

    request = worker_count.PlacementRequest.of(settings)
    if not is_local:
        memory_gb = getattr(provider, "mem_per_node", None)
        return worker_count.stated_workers(request, memory_gb)
    try:
        node = facts.read_node_facts(os.environ, keeps_binding=settings.keeps_binding)
        return worker_count.count_workers(request, node).workers
    except ConfigurationError:
        return None  # the manager fails to start, and reports why
