"""The resources of a node, and the time that its job has left. A manager reads them once, when it starts."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.executors.high_throughput.node.accelerators import are_plain_numbers, are_tiles_flat
from parsl.executors.high_throughput.node.control_groups import cpu_limit, memory_limit_bytes
from parsl.validate import wrong_value

#: Set by the job scripts of batch providers: when the job started, in seconds since the epoch, and how long
#: it may run, in seconds.
STARTED_VARIABLE = "PARSL_BLOCK_STARTED"
WALLTIME_VARIABLE = "PARSL_BLOCK_WALLTIME_S"
#: Set by Slurm: when it will end the job, in seconds since the epoch.
SLURM_END_VARIABLE = "SLURM_JOB_END_TIME"
#: Set by Slurm: the CPUs of each node that it has allocated to the job, such as "128(x2),64".
SLURM_CPUS_VARIABLE = "SLURM_JOB_CPUS_PER_NODE"

_BYTES_PER_GB = 2**30
_NVIDIA_SMI_TIMEOUT_S = 15


class NodeFacts(NamedTuple):
    """The resources of a node on which placement depends."""

    #: Memory to share among workers, in units of 2**30 bytes: all, or what the system allows the job;
    #: PARSL_MEMORY_GB overrides it.
    memory_gb: float
    #: The CPUs that workers may use, sorted.
    cpus: tuple[int, ...]
    #: Number of cores to share among workers, if the environment states one (PARSL_CORES).
    cores: int | None = None
    #: The CPUs that a process could bind itself to: more than `cpus` if the user has bound the driver.
    bindable_cpus: tuple[int, ...] = ()
    #: Whether a launcher has bound the manager to fewer CPUs than `cpus`, which its workers have to undo.
    is_bound_by_launcher: bool = False
    #: The job's quota of CPU time: that of this many CPUs, rounded up; None without a quota.
    cpu_quota: int | None = None
    #: Number of CPUs and memory of the node, with all that the system does not allow the job; 0 if unknown.
    total_cpus: int = 0
    total_memory_gb: float = 0.0
    #: Number of CUDA devices; 0 also where the number does not matter.
    cuda_devices: int = 0
    #: Whether Level Zero shows tiles as devices of their own, named 0 to 11 on Aurora.
    flat_tiles: bool = False

    @property
    def cpu_count(self) -> int:
        """How many CPUs workers can keep busy."""
        return self.within_quota(len(self.cpus))

    def within_quota(self, cpus: int) -> int:
        """Return how many of a number of CPUs the quota allows."""
        return cpus if self.cpu_quota is None else min(cpus, self.cpu_quota)

    @property
    def withholds_cpus(self) -> bool:
        """Whether the node has CPUs that no process of the job can be bound to."""
        return self.total_cpus > max(len(self.cpus), len(self.bindable_cpus))


def read_node_facts(
    environ: Mapping[str, str], accelerators: Sequence[str] = (), *, keeps_binding: bool = False
) -> NodeFacts:
    """Return the resources of this node.

    Args:
        environ: The environment of the manager.
        accelerators: Their names; CUDA devices are only counted where workers may share them.
        keeps_binding: Whether this process has its binding to CPUs from the user, not from a launcher.
    """
    bound = _bound_cpus()
    bindable = _bindable_cpus(bound)
    cpus = cpus_for_workers(bound, bindable, _allocated_cpus(environ), keeps_binding=keeps_binding)
    may_share_devices = len(accelerators) > 1 and are_plain_numbers(accelerators)
    quota = cpu_limit()
    total_gb, stated_gb = total_memory_bytes() / _BYTES_PER_GB, _memory_override(environ)
    return NodeFacts(
        memory_gb=stated_gb or min(total_gb, memory_limit_bytes() / _BYTES_PER_GB),
        cpus=cpus,
        cores=_cores_override(environ),
        bindable_cpus=bindable,
        is_bound_by_launcher=len(bound) < len(cpus),
        cpu_quota=None if quota == math.inf else math.ceil(quota),
        total_cpus=os.cpu_count() or 0,
        total_memory_gb=0.0 if stated_gb else total_gb,
        cuda_devices=_count_cuda_devices(environ) if may_share_devices else 0,
        flat_tiles=are_tiles_flat(environ),
    )


def total_memory_bytes() -> int:
    """Return the memory of this node, with what the system does not allow the job."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpus_for_workers(
    bound: tuple[int, ...], bindable: tuple[int, ...], allocated: int | None, *, keeps_binding: bool
) -> tuple[int, ...]:
    """Return the CPUs that workers may use.

    A launcher's binding of the manager is undone, for it is meant for programs with one process per rank.
    That of the user stays, and so does one that leaves the manager all that the scheduler has allocated:
    the node's other CPUs may belong to other jobs.

    Args:
        bound: The CPUs that the manager is bound to.
        bindable: The CPUs that the manager could bind itself to.
        allocated: The number of CPUs that the scheduler has allocated to the job here; None if unknown.
        keeps_binding: Whether the binding is the user's.
    """
    is_allocation = allocated is not None and len(bound) >= allocated
    return bound if keeps_binding or is_allocation else bindable


def _allocated_cpus(environ: Mapping[str, str]) -> int | None:
    """Return the number of CPUs that Slurm has allocated on a node of the job, such as 128 for "128(x2)".

    Where nodes differ, it is the largest number.
    """
    groups = environ.get(SLURM_CPUS_VARIABLE, "").split(",")
    numbers = [_number(group.partition("(")[0]) for group in groups]
    return max((int(number) for number in numbers if number), default=None)


def _cores_override(environ: Mapping[str, str]) -> int | None:
    text = environ.get("PARSL_CORES", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        wrong_value("the environment", "PARSL_CORES", text, "a number of cores, at least 1")
    return int(text)


def _memory_override(environ: Mapping[str, str]) -> float | None:
    text = environ.get("PARSL_MEMORY_GB", "").strip()
    if not text:
        return None
    try:
        memory_gb = float(text)
    except ValueError:
        memory_gb = 0.0
    if not 0 < memory_gb < float("inf"):
        wrong_value("the environment", "PARSL_MEMORY_GB", text, "an amount of memory in GB, above 0")
    return memory_gb


def _bound_cpus() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _bindable_cpus(bound: tuple[int, ...]) -> tuple[int, ...]:
    """Request all CPUs, read what the kernel grants, and undo the change: no other way is known."""
    if not hasattr(os, "sched_setaffinity"):
        return bound
    # The numbers of CPUs may have gaps, as with simultaneous multithreading turned off.
    count = max(os.sysconf("SC_NPROCESSORS_CONF"), bound[-1] + 1)
    try:
        os.sched_setaffinity(0, range(count))
    except OSError:
        return bound
    try:
        return tuple(sorted({*bound, *os.sched_getaffinity(0)}))
    finally:
        os.sched_setaffinity(0, bound)


def _count_cuda_devices(environ: Mapping[str, str]) -> int:
    from shutil import which

    nvidia_smi = which("nvidia-smi", path=environ.get("PATH"))
    if nvidia_smi is None:
        return 0
    from parsl.common.commands import CommandNotStarted, run_command

    try:
        listing = run_command([nvidia_smi, "-L"], _NVIDIA_SMI_TIMEOUT_S)
    except CommandNotStarted:
        return 0
    # MIG slices are indented below their device.
    devices = sum(line.startswith("GPU ") for line in listing.stdout.splitlines())
    return 0 if listing.timed_out else devices


def seconds_left(environ: Mapping[str, str], walltime_s: float | None, now_s: float) -> float | None:
    """Return the time until the end of the job that this process runs in, in seconds; None if unknown.

    The result never exceeds a known walltime, however wrong the clock of a node is. Without better
    information, the block is assumed to start now and to run for ``walltime_s``, the provider's limit.
    """
    names = (SLURM_END_VARIABLE, STARTED_VARIABLE, WALLTIME_VARIABLE)
    end_s, started_s, limit_s = (_number(environ.get(name, "")) for name in names)
    left_s = []
    if end_s is not None and end_s > now_s:
        left_s.append(end_s - now_s)
    if started_s is not None and limit_s is not None and (age_s := max(0.0, now_s - started_s)) < limit_s:
        left_s.append(limit_s - age_s)
    return min(left_s, default=walltime_s)


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
