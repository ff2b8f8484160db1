"""Checks of the workers of a node: their number, CPUs and accelerators."""

from __future__ import annotations

import os
import re

from parsl.cli.checkup.subject import Subject
from parsl.configs.alcf import AURORA_CPUS, AURORA_GPUS, AURORA_TILES
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.accelerators import (
    FLAT_VARIABLE,
    are_tiles_flat,
    flat_names,
    include_tiles,
)
from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, MAX_CPU, parse_cpu_list
from parsl.executors.high_throughput.node.facts import NodeFacts, read_node_facts
from parsl.executors.high_throughput.node.placement import Placement, plan_workers
from parsl.executors.high_throughput.node.worker_count import PlacementRequest, count_workers
from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings
from parsl.providers import SlurmProvider
from parsl.vocabulary.findings import NOTE, WARNING, Finding, Topic

_WORKERS, _TILES = Topic("workers"), Topic("tiles")
_FLAT_IN_TEXT = re.compile(
    r"ZE_FLAT_DEVICE_HIERARCHY=[\"']?(?:FLAT|COMBINED)|\b(?:module|ml)\b[^\n;&]*\bframeworks\b"
)
#: The memory of a node if it is unknown, in GB.
_ANY_MEMORY_GB = 1e9
_LARGE_NODE = NodeFacts(memory_gb=_ANY_MEMORY_GB, cpus=tuple(range(MAX_CPU)))


def check_workers(subject: Subject) -> list[Finding]:
    """Plan the workers of a node like its manager, as far as the node is known."""
    if not subject.is_htex:
        return []
    if subject.is_mpi:
        return [*_check_mpi(subject), *_check_share(subject)]
    return [
        *_check_unused(subject),
        *_check_plan(subject),
        *_check_share(subject),
        *_check_tiles(subject),
        *_check_devices(subject),
    ]


def _check_mpi(subject: Subject) -> list[Finding]:
    workers, nodes = subject.executor.max_workers_per_block, subject.nodes_per_block
    if subject.executor.max_ranks_per_node is not None:
        return [_WORKERS.ok(f"up to {workers} tasks at once in a block, which may share nodes")]
    if workers == 1 < nodes:
        text = f"one task at a time on the {nodes} nodes of a block, however few nodes the task requests"
        return [_WORKERS.note(text, "max_workers_per_block sets how many tasks may share a block.")]
    if workers <= nodes:
        return [_WORKERS.ok(f"up to {workers} tasks at once on the {nodes} nodes of a block")]
    text = (
        f"max_workers_per_block is {workers}, but a block has {nodes} nodes, and a task takes at least one."
    )
    return [_WORKERS.finding(NOTE if subject.is_local else WARNING, text)]


def _check_unused(subject: Subject) -> list[Finding]:
    executor = subject.executor
    accelerators, workers = len(executor.available_accelerators), executor.max_workers_per_node
    if not accelerators or workers is None or workers >= accelerators:
        return []
    unused = accelerators - workers
    text = f"max_workers_per_node is {workers}: of {accelerators} accelerators, {unused} are not used."
    return [_WORKERS.warning(text)]


def _check_plan(subject: Subject) -> list[Finding]:
    settings = subject.executor._pool_settings()
    node = _expected_node(subject, settings)
    if node is None:
        return [*_check_list(subject), *_check_count(PlacementRequest.of(settings))]
    try:
        placement = plan_workers(PlacementRequest.of(settings), node)
    except ConfigurationError as error:
        return [_WORKERS.error(str(error))]
    warnings = filter(None, (*placement.warnings, placement.notice))
    return [*map(_WORKERS.warning, warnings), _summary(subject, placement, node)]


def _summary(subject: Subject, placement: Placement, node: NodeFacts) -> Finding:
    count, cpus = len(placement.workers), node.cores or node.cpu_count
    where = "on this host" if subject.is_local else "on each node"
    accelerators = ", each with an accelerator" if subject.executor.available_accelerators else ""
    return _WORKERS.ok(f"{count} {where}, with {cpus} CPUs{accelerators}")


def _expected_node(subject: Subject, settings: WorkerPoolSettings) -> NodeFacts | None:
    """Return what a node has, as far as provider and host show; None if unknown."""
    if subject.is_local and subject.nodes_per_block == 1:
        environ = {name: value for name, value in os.environ.items() if name != "ZE_FLAT_DEVICE_HIERARCHY"}
        return read_node_facts(environ, settings.accelerators, keeps_binding=settings.keeps_binding)
    if subject.batch is None or settings.node_cpus is None:
        return None
    memory_gb = getattr(subject.provider, "mem_per_node", None) or _ANY_MEMORY_GB
    return NodeFacts(memory_gb=float(memory_gb), cpus=tuple(range(settings.node_cpus)))


def _check_list(subject: Subject) -> list[Finding]:
    """Check the CPUs in a list, without knowing the node."""
    executor = subject.executor
    if not executor.cpu_affinity.startswith(LIST_PREFIX):
        return []
    groups = parse_cpu_list(executor.cpu_affinity[len(LIST_PREFIX) :])
    highest = max(max(group) for group in groups)
    if getattr(subject.provider, "cpus_per_node", None) == 1 and highest > 0:
        text = f"cpus_per_node is 1: Parsl requests one CPU, but cpu_affinity names CPU {highest}."
        return [_WORKERS.warning(text, "Set cpus_per_node to the hardware threads of a node.")]
    return []


def _check_count(request: PlacementRequest) -> list[Finding]:
    """Warn if even a large node runs fewer workers than requested."""
    is_determined = request.max_workers_per_node or request.available_accelerators
    if not is_determined and not request.cpu_affinity.startswith(LIST_PREFIX):
        return []
    try:
        notice = count_workers(request, _LARGE_NODE).notice
    except ConfigurationError as error:
        return [_WORKERS.error(str(error))]
    return [_WORKERS.warning(notice)] if notice else []


def _check_share(subject: Subject) -> list[Finding]:
    """Warn of shared nodes on which Slurm would give a job one core only."""
    provider = subject.provider
    if not isinstance(provider, SlurmProvider) or provider.exclusive or provider.cores_per_node is not None:
        return []
    if any(option in provider.scheduler_options for option in ("--cpus-per-task", "-c ", "--exclusive")):
        return []
    text = (
        "exclusive is False, and cores_per_node is not set: Slurm gives a job one core of each node, for "
        "all its workers there."
    )
    return [_WORKERS.warning(text, "Set cores_per_node, or leave exclusive as it is.")]


def _check_tiles(subject: Subject) -> list[Finding]:
    """Check the names of tiles, which change if Level Zero shows each tile as a device."""
    names = subject.executor.available_accelerators
    if not include_tiles(names):
        return []
    source = _source_of_flat(subject)
    if not source:
        return []
    try:
        flat = flat_names(names)
    except ConfigurationError as error:
        return [_TILES.error(str(error))]
    first = next(name for name in names if "." in name)
    text = (
        f"{FLAT_VARIABLE} is set {source}, so that every tile is a separate device: names are translated "
        f"on the nodes, {first} to {flat[names.index(first)]}, {names[-1]} to {flat[-1]}"
    )
    return [_TILES.note(text)]


def _source_of_flat(subject: Subject) -> str:
    """Return what makes each tile a device, in words; empty if nothing is known to do so."""
    probe = subject.probe
    if probe is not None and probe.has_ended:
        if are_tiles_flat(probe.environment):
            return "after worker_init"
    elif are_tiles_flat(os.environ) and not subject.is_pbs:
        return "in this environment, which jobs inherit"
    _, found, last = subject.worker_init.rpartition("ZE_FLAT_DEVICE_HIERARCHY=")
    ends_composite = found and last.strip("\"'").startswith("COMPOSITE")
    return "by worker_init" if _FLAT_IN_TEXT.search(subject.worker_init) and not ends_composite else ""


def _check_devices(subject: Subject) -> list[Finding]:
    """Warn of devices 6 to 11 on Aurora, which exist only if every tile is a separate device."""
    gpus, tiles = AURORA_GPUS, len(AURORA_TILES)
    names = subject.executor.available_accelerators
    if tuple(names) != tuple(map(str, range(tiles))) or not subject.is_pbs:
        return []
    is_aurora = getattr(subject.provider, "cpus_per_node", None) == AURORA_CPUS
    if not is_aurora or _source_of_flat(subject):
        return []
    text = (
        f"the accelerators are named 0 to {tiles - 1}. A node of Aurora has {gpus} devices, 0 to "
        f"{gpus - 1}, with two tiles each, unless {FLAT_VARIABLE} is FLAT: half of the workers "
        "would see no GPU."
    )
    advice = (
        f"Name the tiles: available_accelerators=[f'{{gpu}}.{{tile}}' for gpu in range({gpus}) for tile in "
        "range(2)], which works in both cases."
    )
    return [_TILES.warning(text, advice)]
