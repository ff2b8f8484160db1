"""The resources of a node, and the time that its job has left. A manager reads them once, when it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.executors.high_throughput.node.accelerators import are_plain_numbers, are_tiles_flat
from parsl.validate import wrong_value

#: Set by the job scripts of batch providers: when the job started, in seconds since the epoch, and how long
#: it may run, in seconds.
STARTED_VARIABLE = "PARSL_BLOCK_STARTED"
WALLTIME_VARIABLE = "PARSL_BLOCK_WALLTIME_S"
#: Set by Slurm: when it will end the job, in seconds since the epoch.
SLURM_END_VARIABLE = "SLURM_JOB_END_TIME"

_BYTES_PER_GB = 2**30
_NVIDIA_SMI_TIMEOUT_S = 15


class NodeFacts(NamedTuple):
    """The resources of a node on which placement depends."""

    #: Number of cores to share among workers; PARSL_CORES overrides it.
    cores: int
    #: Memory to share among workers, in units of 2**30 bytes; PARSL_MEMORY_GB overrides it.
    memory_gb: float
    #: The CPUs that this process may use, sorted.
    cpus: tuple[int, ...]
    #: The CPUs that this process could bind itself to: more than `cpus` if a launcher has bound it.
    bindable_cpus: tuple[int, ...] = ()
    #: Number of CUDA devices; 0 also where the number does not matter.
    cuda_devices: int = 0
    #: Whether Level Zero shows tiles as devices of their own, named 0 to 11 on Aurora.
    flat_tiles: bool = False


def read_node_facts(environ: Mapping[str, str], accelerators: Sequence[str] = ()) -> NodeFacts:
    """Return the resources of this node; CUDA devices are only counted where workers may share them."""
    cpus = _usable_cpus()
    may_share_devices = len(accelerators) > 1 and are_plain_numbers(accelerators)
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return NodeFacts(
        cores=_cores_override(environ) or len(cpus),
        memory_gb=_memory_override(environ) or memory_bytes / _BYTES_PER_GB,
        cpus=cpus,
        bindable_cpus=_bindable_cpus(cpus),
        cuda_devices=_count_cuda_devices(environ) if may_share_devices else 0,
        flat_tiles=are_tiles_flat(environ),
    )


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


def _usable_cpus() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _bindable_cpus(cpus: tuple[int, ...]) -> tuple[int, ...]:
    """Request all CPUs, read what the kernel grants, and undo the change: no other way is known."""
    if not hasattr(os, "sched_setaffinity"):
        return cpus
    try:
        os.sched_setaffinity(0, range(max(os.cpu_count() or 1, cpus[-1] + 1)))
    except OSError:
        return cpus
    try:
        return tuple(sorted({*cpus, *os.sched_getaffinity(0)}))
    finally:
        os.sched_setaffinity(0, cpus)


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
