"""The number of workers on a node, and the CPUs, accelerator and environment of each: data in, data out."""

from __future__ import annotations

from typing import NamedTuple

from parsl.executors.high_throughput.node.accelerators import (
    FLAT_VARIABLE,
    accelerator_environment,
    are_plain_numbers,
    flat_names,
    shared_cuda_device,
)
from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, format_cpus, parse_cpu_list
from parsl.executors.high_throughput.node.facts import NodeFacts
from parsl.executors.high_throughput.node.worker_count import PlacementRequest, count_workers


class WorkerPlacement(NamedTuple):
    """The place of one worker."""

    rank: int
    #: The CPUs to bind it to; None to leave it as the manager is.
    cpus: tuple[int, ...] | None
    accelerator: str | None
    #: Variables to set before the worker imports any of the user's modules.
    environment: dict[str, str]


class Placement(NamedTuple):
    """The places of a node's workers, and what the user has to know about them."""

    workers: tuple[WorkerPlacement, ...]
    #: For the logs of the block.
    warnings: tuple[str, ...]
    #: For the user's own terminal: see `worker_count.WorkerCount`; empty if all is as requested.
    notice: str = ""


#: The CPUs of each worker, None for a worker that is not bound; and warnings.
_Binding = tuple[list[tuple[int, ...] | None], list[str]]


def plan_workers(request: PlacementRequest, node: NodeFacts) -> Placement:
    """Place the workers of a node. ConfigurationError if the node is too small for one worker, there would
    be too many workers, or names of accelerators are ambiguous because tiles are devices of their own.
    """
    count, notice = count_workers(request, node)
    bound, warnings = _bind(request.cpu_affinity, node, count)
    names = flat_names(request.available_accelerators) if node.flat_tiles else request.available_accelerators
    shares_devices = 0 < node.cuda_devices < len(bound) and are_plain_numbers(names)
    workers = []
    for rank, cpus in enumerate(bound):
        environment = _affinity_environment(cpus, request, node)
        if names:
            device = shared_cuda_device(rank, len(bound), node.cuda_devices) if shares_devices else None
            environment |= accelerator_environment(names[rank], device)
        unbound = node.cpus if node.is_bound_by_launcher else None
        workers.append(WorkerPlacement(rank, cpus or unbound, names[rank] if names else None, environment))
    warnings = [*_node_warnings(node), *warnings, *_tile_warnings(request, names)]
    return Placement(tuple(workers), tuple(warnings), notice)


def _bind(affinity: str, node: NodeFacts, count: int) -> _Binding:
    if affinity == "none":
        return [None] * count, []
    if affinity.startswith(LIST_PREFIX):
        return _bind_by_list(parse_cpu_list(affinity[len(LIST_PREFIX) :]), node, count)
    warning = f"cpu_affinity={affinity}: {count} workers share {len(node.cpus)} CPUs; some share a CPU."
    return [*_shares(affinity, node.cpus, count)], [warning] if count > len(node.cpus) else []


def _shares(affinity: str, cpus: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    ordered = cpus[::-1] if affinity == "block-reverse" else cpus
    if affinity == "alternating":
        return [ordered[rank::count] or (ordered[rank % len(ordered)],) for rank in range(count)]
    return [_block(ordered, rank, count) for rank in range(count)]


def _block(cpus: tuple[int, ...], rank: int, count: int) -> tuple[int, ...]:
    """Return a contiguous share of the CPUs; the first workers get one more if they do not divide evenly."""
    if count > len(cpus):
        return (cpus[rank * len(cpus) // count],)
    size, more = divmod(len(cpus), count)
    start = rank * size + min(rank, more)
    return cpus[start : start + size + (rank < more)]


def _bind_by_list(groups: tuple[tuple[int, ...], ...], node: NodeFacts, count: int) -> _Binding:
    groups = groups[:count]
    available = {*node.cpus, *node.bindable_cpus}
    bound = [tuple(cpu for cpu in group if cpu in available) for group in groups]
    missing = {cpu for group in groups for cpu in group} - available
    without_cpus = [rank for rank, cpus in enumerate(bound) if not cpus]
    warnings = [_missing_warning(missing, without_cpus, node)] if missing else []
    return [cpus or None for cpus in bound], warnings


def _missing_warning(missing: set[int], without_cpus: list[int], node: NodeFacts) -> str:
    text = f"cpu_affinity names CPUs that this node does not have; left out: {format_cpus(missing)}."
    if without_cpus:
        ranks = f"{'Worker' if len(without_cpus) == 1 else 'Workers'} {format_cpus(without_cpus)}"
        text += f" {ranks}, left without any, may use all usable CPUs: {format_cpus(node.cpus)}."
    return text


def _affinity_environment(
    cpus: tuple[int, ...] | None, request: PlacementRequest, node: NodeFacts
) -> dict[str, str]:
    if request.cpu_affinity == "none":
        return {}
    if cpus is None:
        # Not bound: the threads of several such workers would otherwise share the first CPU.
        return {"OMP_NUM_THREADS": str(len(node.cpus))}
    listed = ",".join(str(cpu) for cpu in cpus)
    return {
        "OMP_NUM_THREADS": str(len(cpus)),
        "GOMP_CPU_AFFINITY": listed,
        "KMP_AFFINITY": f"explicit,proclist=[{listed}]",
    }


def _node_warnings(node: NodeFacts) -> list[str]:
    if not node.is_bound_by_launcher:
        return []
    return [
        f"The launcher has bound this manager to few CPUs; its workers use all: {format_cpus(node.cpus)}."
    ]


def _tile_warnings(request: PlacementRequest, names: tuple[str, ...]) -> list[str]:
    for name, flat_name in zip(request.available_accelerators, names, strict=True):
        if name != flat_name:
            flat = f"{FLAT_VARIABLE} makes tiles devices of their own here"
            return [f"{flat}; names of accelerators are translated: {name} is {flat_name}, and so on."]
    return []
