"""How many workers a node would get, on which CPUs and with which accelerators."""

from __future__ import annotations

import os
import re

from parsl.cli.checkup.finding import ERROR, NOTE, OK, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.probe import Probe
    from parsl.cli.checkup.subject import Subject
    from parsl.executors.high_throughput.node.facts import NodeFacts
    from parsl.executors.high_throughput.node.placement import Placement, PlacementRequest

_TOPIC = "workers"
_TILES = "tiles"
_FLAT_IN_TEXT = re.compile(
    r"ZE_FLAT_DEVICE_HIERARCHY=[\"']?(?:FLAT|COMBINED)|\b(?:module|ml)\b[^\n;&]*\bframeworks\b"
)
#: Memory is not known beforehand, in GB.
_ANY_MEMORY_GB = 1e9


def check_workers(subject: Subject, probe: Probe | None) -> list[Finding]:
    """Plan the workers of a node as its manager would, as far as the node is known."""
    if not subject.is_htex:
        return []
    if subject.is_mpi:
        return [*_check_mpi(subject), *_check_share(subject)]
    return [
        *_check_counts(subject),
        *_check_plan(subject),
        *_check_share(subject),
        *_check_tiles(subject, probe),
        *_check_devices(subject, probe),
    ]


def _check_mpi(subject: Subject) -> list[Finding]:
    workers, nodes = subject.executor.max_workers_per_block, subject.nodes_per_block
    if workers == 1 < nodes:
        text = f"one task at a time on the {nodes} nodes of a block, however few nodes it asks for"
        return [Finding(NOTE, _TOPIC, text, "max_workers_per_block says how many may share a block.")]
    if workers <= nodes:
        return [Finding(OK, _TOPIC, f"up to {workers} tasks at once on the {nodes} nodes of a block")]
    text = (
        f"max_workers_per_block is {workers}, but a block has {nodes} nodes, and a task takes at least one."
    )
    return [Finding(NOTE if subject.is_local else WARNING, _TOPIC, text)]


def _check_counts(subject: Subject) -> list[Finding]:
    executor = subject.executor
    accelerators, workers = len(executor.available_accelerators), executor.max_workers_per_node
    if not accelerators or workers is None or workers == accelerators:
        return []
    if workers > accelerators:
        text = f"max_workers_per_node is {workers}, but only {accelerators} run: one for each accelerator."
        advice = "Name an accelerator several times to share it, as in ['0', '0', '1', '1']."
        return [Finding(WARNING, _TOPIC, text, advice)]
    unused = accelerators - workers
    text = f"max_workers_per_node is {workers}: of {accelerators} accelerators, {unused} are not used."
    return [Finding(WARNING, _TOPIC, text)]


def _check_plan(subject: Subject) -> list[Finding]:
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.node.placement import plan_workers

    node = _expected_node(subject)
    if node is None:
        return _check_list(subject)
    request = _request(subject)
    try:
        placement = plan_workers(request, node)
    except ConfigurationError as error:
        return [Finding(ERROR, _TOPIC, str(error))]
    findings = [Finding(WARNING, _TOPIC, warning) for warning in placement.warnings]
    return [*findings, _summary(subject, placement, node)]


def _summary(subject: Subject, placement: Placement, node: NodeFacts) -> Finding:
    count, wanted = len(placement.workers), subject.executor.max_workers_per_node
    where = "on this host" if subject.is_local else "on each node"
    accelerators = ", each with an accelerator" if subject.executor.available_accelerators else ""
    text = f"{count} {where}, with {node.cores} CPUs{accelerators}"
    if wanted is not None and count < min(wanted, len(subject.executor.available_accelerators) or wanted):
        advice = "cores_per_worker and mem_per_worker say how much each takes."
        return Finding(WARNING, _TOPIC, f"{text}, fewer than max_workers_per_node={wanted}.", advice)
    return Finding(OK, _TOPIC, text)


def _request(subject: Subject) -> PlacementRequest:
    from parsl.executors.high_throughput.node.placement import PlacementRequest

    executor = subject.executor
    return PlacementRequest(
        cores_per_worker=executor.cores_per_worker,
        mem_per_worker_gb=executor.mem_per_worker,
        max_workers_per_node=executor.max_workers_per_node,
        available_accelerators=tuple(executor.available_accelerators),
        cpu_affinity=executor.cpu_affinity,
    )


def _expected_node(subject: Subject) -> NodeFacts | None:
    """What a node has, as far as provider and host tell; None if they do not."""
    from parsl.executors.high_throughput.node.facts import NodeFacts, read_node_facts

    if subject.is_local and subject.nodes_per_block == 1:
        environ = {name: value for name, value in os.environ.items() if name != "ZE_FLAT_DEVICE_HIERARCHY"}
        return read_node_facts(environ, tuple(subject.executor.available_accelerators))
    cpus = getattr(subject.provider, "cpus_per_node", None) or getattr(
        subject.provider, "cores_per_node", None
    )
    if subject.batch is None or not isinstance(cpus, int) or cpus < 2:
        return None  # a single one is what is said where nothing is said
    memory_gb = getattr(subject.provider, "mem_per_node", None) or _ANY_MEMORY_GB
    return NodeFacts(cores=cpus, memory_gb=float(memory_gb), cpus=tuple(range(cpus)))


def _check_list(subject: Subject) -> list[Finding]:
    """Of a list of CPUs something can be said without knowing the node."""
    from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, parse_cpu_list

    executor = subject.executor
    if not executor.cpu_affinity.startswith(LIST_PREFIX):
        return []
    groups = parse_cpu_list(executor.cpu_affinity[len(LIST_PREFIX) :])
    findings = []
    highest = max(max(group) for group in groups)
    if getattr(subject.provider, "cpus_per_node", None) == 1 and highest > 0:
        text = f"cpus_per_node is 1: PBS is asked for one CPU, but cpu_affinity names CPU {highest}."
        findings.append(
            Finding(WARNING, _TOPIC, text, "Set cpus_per_node to the hardware threads of a node.")
        )
    wanted = executor.max_workers_per_node or len(executor.available_accelerators)
    if wanted > len(groups):
        text = f"cpu_affinity lists CPUs for {len(groups)} of {wanted} workers; the others do not run."
        findings.append(Finding(WARNING, _TOPIC, text))
    return findings


def _check_share(subject: Subject) -> list[Finding]:
    """Of a node that others use too, Slurm gives a job one CPU for each thing that it starts there."""
    from parsl.providers import SlurmProvider

    provider = subject.provider
    if not isinstance(provider, SlurmProvider) or provider.exclusive or provider.cores_per_node is not None:
        return []
    if any(option in provider.scheduler_options for option in ("--cpus-per-task", "-c ", "--exclusive")):
        return []
    text = (
        "exclusive is False, and cores_per_node is not given: Slurm gives a job one core of each node, for "
        "all that runs there."
    )
    return [Finding(WARNING, _TOPIC, text, "Set cores_per_node, or leave exclusive as it is.")]


def _check_tiles(subject: Subject, probe: Probe | None) -> list[Finding]:
    """Tiles have other names where Level Zero shows each as a device."""
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.node.accelerators import FLAT_VARIABLE, flat_names, include_tiles

    names = subject.executor.available_accelerators
    if not include_tiles(names):
        return []
    source = _source_of_flat(subject, probe)
    if not source:
        return []
    try:
        flat = flat_names(names)
    except ConfigurationError as error:
        return [Finding(ERROR, _TILES, str(error))]
    first = next(name for name in names if "." in name)
    text = (
        f"{FLAT_VARIABLE} is set {source}, so that every tile is a device of its own: names are translated "
        f"on the nodes, {first} to {flat[names.index(first)]}, {names[-1]} to {flat[-1]}"
    )
    return [Finding(NOTE, _TILES, text)]


def _source_of_flat(subject: Subject, probe: Probe | None) -> str:
    """What makes tiles devices of their own, in words; empty if nothing is known to."""
    from parsl.executors.high_throughput.node.accelerators import are_tiles_flat

    if probe is not None and probe.has_ended:
        if are_tiles_flat(probe.environment or {}):
            return "after worker_init"
    elif are_tiles_flat(os.environ) and not subject.is_pbs:
        return "in this environment, which jobs inherit"
    if _FLAT_IN_TEXT.search(subject.worker_init) and not _ends_composite(subject.worker_init):
        return "by worker_init"
    return ""


def _check_devices(subject: Subject, probe: Probe | None) -> list[Finding]:
    """On Aurora, devices 6 to 11 are there only where tiles are devices of their own."""
    from parsl.configs.machines.aurora import CPUS_PER_NODE, GPUS, TILES
    from parsl.executors.high_throughput.node.accelerators import FLAT_VARIABLE

    names = subject.executor.available_accelerators
    if tuple(names) != tuple(str(number) for number in range(len(TILES))) or not subject.is_pbs:
        return []
    is_aurora = getattr(subject.provider, "cpus_per_node", None) == CPUS_PER_NODE
    if not is_aurora or _source_of_flat(subject, probe):
        return []
    text = (
        f"the accelerators are named 0 to {len(TILES) - 1}. A node of Aurora has {GPUS} devices, 0 to "
        f"{GPUS - 1}, with two tiles each, unless {FLAT_VARIABLE} is FLAT: half of the workers "
        "would see no GPU."
    )
    advice = (
        f"Name the tiles: available_accelerators=[f'{{gpu}}.{{tile}}' for gpu in range({GPUS}) for tile in "
        "range(2)], which is right either way."
    )
    return [Finding(WARNING, _TILES, text, advice)]


def _ends_composite(worker_init: str) -> bool:
    last = worker_init.rpartition("ZE_FLAT_DEVICE_HIERARCHY=")[2]
    return last != worker_init and last.strip("\"'").startswith("COMPOSITE")
