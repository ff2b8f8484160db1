"""How many workers a node gets, and what its user has to hear about that: data in, data out."""

from __future__ import annotations

import math
from typing import NamedTuple

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, format_cpus, parse_cpu_list
from parsl.executors.high_throughput.node.facts import NodeFacts
from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings

#: More workers on one node are an error of the user's, such as a very small cores_per_worker without a limit.
MAX_WORKERS_PER_NODE = 4096
#: So that 2 cores at 1/3 of a core each are six workers, despite floating-point errors.
_ROUNDING = 1e-9
_MORE_CPUS = (
    "Request more CPUs for the job: cpus_per_node or cores_per_node of the provider or, if srun starts the "
    "managers, SrunLauncher(overrides='--cpus-per-task={cpus}')"
)
_MORE_CPU_TIME = (
    "Raise the quota to {cpus} CPUs (docker run --cpus, or resources.limits.cpu of a Kubernetes container)"
)
_MORE_MEMORY = "Request more memory for the job (mem_per_node, or an option in scheduler_options)"


class PlacementRequest(NamedTuple):
    """The user's request for each node."""

    cores_per_worker: float = 1.0
    mem_per_worker_gb: float | None = None
    max_workers_per_node: int | None = None
    available_accelerators: tuple[str, ...] = ()
    cpu_affinity: str = "none"
    #: The CPUs of a node according to the provider; None if the provider does not state them.
    node_cpus: int | None = None

    @classmethod
    def of(cls, settings: WorkerPoolSettings) -> PlacementRequest:
        """Return the request in the settings of an executor."""
        return cls(
            cores_per_worker=settings.cores_per_worker,
            mem_per_worker_gb=settings.mem_per_worker_gb,
            max_workers_per_node=settings.max_workers,
            available_accelerators=tuple(settings.accelerators),
            cpu_affinity=settings.cpu_affinity,
            node_cpus=settings.node_cpus,
        )


class WorkerCount(NamedTuple):
    """The number of workers of a node."""

    workers: int
    #: For the user: that there are fewer workers than requested, or that they share few CPUs, why, and what
    #: to write instead; empty if all is as requested.
    notice: str = ""


class _Limit(NamedTuple):
    """One reason for the number of workers."""

    workers: int
    #: The parameter and what it meets, such as "cores_per_worker=1 on 2 cores".
    text: str
    #: Why the node has so little.
    reason: str = ""
    #: What to write instead, for more workers.
    advice: str = ""


def count_workers(request: PlacementRequest, node: NodeFacts) -> WorkerCount:
    """Count the workers of a node.

    Workers with accelerators are counted by accelerators: CPUs can be shared, and an idle accelerator is the
    greater loss. Memory limits all workers, because none can be shared.

    Raises:
        ConfigurationError: Not even one worker fits, or there would be too many.
    """
    if not request.cores_per_worker > 0:
        raise ConfigurationError(f"cores_per_worker is {request.cores_per_worker}; it has to be above 0.")
    requested, source = _requested(request, node)
    tightest = min(_limits(request, node, requested), key=lambda limit: limit.workers)
    _check(tightest)
    if tightest.workers < requested:
        return WorkerCount(tightest.workers, _too_few(tightest, requested, source))
    return WorkerCount(tightest.workers, _crowding(request, node, tightest.workers))


def stated_workers(request: PlacementRequest, memory_gb: float | None) -> int | None:
    """Return how many workers a node of unknown resources will have, if nothing is missing there.

    Args:
        request: The user's request, with the CPUs that the provider states.
        memory_gb: The memory of a node that the provider states (GB); None if it states none.

    Returns:
        The number, at least 1; None if the parameters do not determine it.
    """
    counts = [] if request.max_workers_per_node is None else [request.max_workers_per_node]
    if request.available_accelerators:
        counts.append(len(request.available_accelerators))
    elif request.node_cpus is not None:
        counts.append(_fitting(request.node_cpus, request.cores_per_worker))
    if request.cpu_affinity.startswith(LIST_PREFIX):
        counts.append(_listed(request.cpu_affinity))
    if not counts:
        return None
    if request.mem_per_worker_gb and memory_gb:
        counts.append(_fitting(memory_gb, request.mem_per_worker_gb))
    return max(1, min(counts))


def _requested(request: PlacementRequest, node: NodeFacts) -> tuple[int, str]:
    """Return how many workers the configuration determines, and by which parameter; 0 for none."""
    if request.max_workers_per_node is not None:
        return request.max_workers_per_node, f"max_workers_per_node={request.max_workers_per_node}"
    if request.available_accelerators:
        return len(request.available_accelerators), "one for each of the available_accelerators"
    if request.cpu_affinity.startswith(LIST_PREFIX):
        return _listed(request.cpu_affinity), "one for each list of CPUs in cpu_affinity"
    if request.node_cpus is None:
        return 0, ""
    count = _fitting(request.node_cpus, request.cores_per_worker)
    if request.mem_per_worker_gb:
        memory_gb = max(node.memory_gb, node.total_memory_gb)
        count = min(count, _fitting(memory_gb, request.mem_per_worker_gb))
    return count, f"the provider's {request.node_cpus} CPUs per node"


def _limits(request: PlacementRequest, node: NodeFacts, requested: int) -> list[_Limit]:
    limits = []
    if request.available_accelerators:
        count = len(request.available_accelerators)
        advice = "Name an accelerator several times to share it, as in ['0', '0', '1', '1']"
        limits.append(_Limit(count, f"there are {count} available_accelerators", advice=advice))
    else:
        limits.append(_limit_of_cores(request, node, requested))
    if request.mem_per_worker_gb:
        limits.append(_limit_of_memory(request.mem_per_worker_gb, node, requested))
    if request.max_workers_per_node is not None:
        text = f"max_workers_per_node={request.max_workers_per_node}"
        limits.append(_Limit(request.max_workers_per_node, text))
    if request.cpu_affinity.startswith(LIST_PREFIX):
        count = _listed(request.cpu_affinity)
        advice = "Add the CPUs of the others to the list"
        limits.append(_Limit(count, f"cpu_affinity lists the CPUs of {count}", advice=advice))
    return limits


def _listed(cpu_affinity: str) -> int:
    return len(parse_cpu_list(cpu_affinity[len(LIST_PREFIX) :]))


def _limit_of_cores(request: PlacementRequest, node: NodeFacts, requested: int) -> _Limit:
    # The CPUs to which the user has bound the driver are all that fit, but an explicit number comes first.
    is_explicit = request.max_workers_per_node is not None
    cpus = max(node.cpus, node.bindable_cpus, key=len) if is_explicit else node.cpus
    cores = node.cores or node.within_quota(len(cpus))
    text = f"cores_per_worker={request.cores_per_worker:g} on {cores} {'core' if cores == 1 else 'cores'}"
    reason, advice = "", "Write {smaller}"
    if node.cores:
        reason = "the environment variable PARSL_CORES states that number"
    elif cores < len(cpus) or node.withholds_cpus:
        reason = _withheld_cpus(node)
        advice = f"{_more_cpus(request, node, requested)}; or write {{smaller}}"
    smaller = _smaller("cores_per_worker", cores, requested)
    return _Limit(_fitting(cores, request.cores_per_worker), text, reason, advice.format(smaller=smaller))


def _limit_of_memory(per_worker_gb: float, node: NodeFacts, requested: int) -> _Limit:
    text = f"mem_per_worker={per_worker_gb:g} on {node.memory_gb:.1f} GB of memory"
    reason, advice = "", "Write {smaller}"
    if node.memory_gb < node.total_memory_gb:
        reason = (
            f"the system (a cgroup, as schedulers and containers use) allows the job {node.memory_gb:.1f} of "
            f"the node's {node.total_memory_gb:.1f} GB"
        )
        advice = f"{_MORE_MEMORY}; or write {{smaller}}"
    smaller = _smaller("mem_per_worker", node.memory_gb, requested)
    return _Limit(_fitting(node.memory_gb, per_worker_gb), text, reason, advice.format(smaller=smaller))


def _fitting(amount: float, per_worker: float) -> int:
    return int(min(amount / per_worker * (1 + _ROUNDING), 1e9))


def _smaller(parameter: str, amount: float, requested: int) -> str:
    """Return the parameter with a value, rounded down, with which the requested workers fit."""
    share = amount / max(1, requested)
    digits = 2 - math.floor(math.log10(share))
    return f"{parameter}={math.floor(share * 10**digits) / 10**digits:g}"


def _check(limit: _Limit) -> None:
    reason = f", because {limit.reason}" if limit.reason else ""
    if limit.workers < 1:
        raise ConfigurationError(
            f"No worker fits on this node: {limit.text} leaves room for none{reason}. Request less per worker"
            " or, if the node has more than Parsl detects, set PARSL_CORES or PARSL_MEMORY_GB in worker_init."
        )
    if limit.workers > MAX_WORKERS_PER_NODE:
        raise ConfigurationError(
            f"{limit.text} asks for {limit.workers} workers on this node, more than {MAX_WORKERS_PER_NODE}."
            " Set max_workers_per_node."
        )


def _too_few(limit: _Limit, requested: int, source: str) -> str:
    workers = f"{requested} {'worker is' if requested == 1 else 'workers are'} requested ({source})"
    reason = f", because {limit.reason}" if limit.reason else ""
    return f"{workers}, but {limit.workers} run: {limit.text}{reason}. {limit.advice}."


def _crowding(request: PlacementRequest, node: NodeFacts, count: int) -> str:
    """Describe workers that share fewer CPUs than they request, if the node has more; else empty."""
    needed = count * request.cores_per_worker
    cpus = node.cpu_count
    is_short = needed > cpus * (1 + _ROUNDING)
    if not is_short or request.cpu_affinity.startswith(LIST_PREFIX):
        return ""
    shared = f"{count} workers share {cpus} {'CPU' if cpus == 1 else 'CPUs'}"
    if cpus == len(node.cpus) < len(node.bindable_cpus):
        fitting = max(1, _fitting(len(node.cpus), request.cores_per_worker))
        return (
            f"{shared}, because the manager is bound to {format_cpus(node.cpus)} of the CPUs "
            f"{format_cpus(node.bindable_cpus)}: by taskset or srun, for instance, before your script or in "
            "worker_init. If that is not intended, start it without the binding (srun --cpu-bind=none); "
            f"otherwise write max_workers_per_node={fitting}."
        )
    if cpus < len(node.cpus) or node.withholds_cpus:
        return f"{shared}, because {_withheld_cpus(node)}. {_more_cpus(request, node, count)}."
    return ""


def _withheld_cpus(node: NodeFacts) -> str:
    if _is_limited_by_quota(node):
        return (
            f"the system (a cgroup, as containers use) limits the job's CPU time to that of {node.cpu_quota} "
            f"of the node's {node.total_cpus} CPUs"
        )
    return (
        f"the system (a cgroup, as schedulers and containers use) allows the job {len(node.cpus)} of the "
        f"node's {node.total_cpus} CPUs ({format_cpus(node.cpus)})"
    )


def _more_cpus(request: PlacementRequest, node: NodeFacts, workers: int) -> str:
    advice = _MORE_CPU_TIME if _is_limited_by_quota(node) else _MORE_CPUS
    return advice.format(cpus=math.ceil(workers * request.cores_per_worker))


def _is_limited_by_quota(node: NodeFacts) -> bool:
    cpus = max(len(node.cpus), len(node.bindable_cpus))
    return node.within_quota(cpus) < cpus
