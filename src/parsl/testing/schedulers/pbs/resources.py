"""The values of ``qsub -l``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from parsl.testing.schedulers.durations import parse_duration_s
from parsl.testing.schedulers.pbs.refusals import Refusal, bad_resource, bad_select, bad_value
from parsl.testing.schedulers.records import Chunk

#: What may stand in a chunk of ``select``. The stand-in counts CPUs and processes only.
CHUNK_RESOURCES = frozenset(
    [
        "ncpus",
        "mpiprocs",
        "ompthreads",
        "mem",
        "vmem",
        "ngpus",
        "naccelerators",
        "nmics",
        "host",
        "vnode",
        "arch",
        "system",
        "accelerator",
        "accelerator_model",
        "gputype",
        "cluster",
    ]
)
#: What may stand directly after ``-l``.
JOB_RESOURCES = frozenset(
    [
        "select",
        "place",
        "walltime",
        "ncpus",
        "nodes",
        "mem",
        "vmem",
        "pmem",
        "pvmem",
        "cput",
        "pcput",
        "nice",
        "file",
        "filesystems",
        "software",
        "ngpus",
        "mpiprocs",
        "ompthreads",
        "host",
        "arch",
        "min_walltime",
        "max_walltime",
        "singularity_fakeroot",
    ]
)


class Request(NamedTuple):
    """What a job asks for."""

    select: str
    chunks: tuple[Chunk, ...]
    place: str
    walltime_s: float | None
    others: tuple[tuple[str, str], ...]


def parse_resource_list(text: str) -> list[tuple[str, str]]:
    """Split ``select=1:ncpus=2,walltime=1:00`` into names and values."""
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def parse_request(pairs: Sequence[tuple[str, str]], default_cpus: int) -> Request:
    """Read all that was given to ``-l``; of a name that is given twice the first counts.

    Args:
        pairs: Names and values, those of the command line first.
        default_cpus: CPUs of a chunk that does not say.

    Raises:
        Refusal: As PBS refuses it.
    """
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in JOB_RESOURCES:
            raise bad_resource(name)
        values.setdefault(name, value)
    select = values.pop("select", "") or _select_of_old(values)
    walltime = values.pop("walltime", None)
    walltime_s = None if walltime is None else parse_duration_s(walltime)
    if walltime is not None and walltime_s is None:
        raise bad_value("walltime")
    place = values.pop("place", "scatter").partition(":")[0]
    values.pop("ncpus", None)
    chunks = parse_select(select, default_cpus)
    return Request(select, chunks, place or "scatter", walltime_s, tuple(values.items()))


def parse_select(text: str, default_cpus: int) -> tuple[Chunk, ...]:
    """Read the value of ``select``, as ``2:ncpus=208:mpiprocs=2+1:ncpus=4``."""
    return tuple(_parse_chunk(piece, default_cpus) for piece in text.split("+"))


def _parse_chunk(text: str, default_cpus: int) -> Chunk:
    first, *rest = text.split(":")
    if not first.isdigit():
        first, rest = "1", [first, *rest]
    values = {}
    for item in rest:
        name, equals, value = item.partition("=")
        if not equals or not value:
            raise bad_value("select")
        if name not in CHUNK_RESOURCES:
            raise bad_select(name)
        values[name] = value
    cpus, processes = values.get("ncpus", str(default_cpus)), values.get("mpiprocs", "1")
    if not (cpus.isdigit() and processes.isdigit() and int(first) > 0):
        raise bad_value("select")
    return Chunk(int(first), int(cpus), int(processes))


def _select_of_old(values: dict[str, str]) -> str:
    """Translate ``nodes=2:ppn=4`` or ``ncpus=4``, as PBS does."""
    nodes = values.pop("nodes", "")
    if not nodes:
        return f"1:ncpus={values['ncpus']}" if values.get("ncpus", "").isdigit() else "1"
    count, _, rest = nodes.partition(":")
    name, _, value = rest.partition("=")
    if not count.isdigit() or (rest and (name != "ppn" or not value.isdigit())):
        raise bad_value("nodes")
    return f"{count}:ncpus={value}:mpiprocs={value}" if rest else count


__all__ = ["Refusal", "Request", "parse_request", "parse_resource_list", "parse_select"]
