"""The systems that are compared, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """One thing that runs tasks.

    Attributes:
        name: short name, as given to ``--systems``.
        title: heading in tables and charts.
        requirement: what pip installs into the system's own environment; None when
            the system runs in the interpreter of the benchmark.
        distribution: distribution whose version is reported; None for Python's own.
        is_slow: whether a round takes so long that it is repeated less often.
    """

    name: str
    title: str
    requirement: str | None = None
    distribution: str | None = None
    is_slow: bool = False


OURS = System("ours", "ours", distribution="parsl")
STDLIB = System("stdlib", "stdlib pool")
UPSTREAM = System("upstream", "upstream", "parsl[monitoring]==2026.10.26", "parsl", is_slow=True)
LOKY = System("loky", "loky", "loky==3.7.0", "loky")
DASK = System("dask", "Dask", "distributed==2026.8.0", "distributed", is_slow=True)
RAY = System("ray", "Ray", "ray==2.60.0", "ray", is_slow=True)
HYPERQUEUE = System("hyperqueue", "HyperQueue", "hyperqueue==0.27.0", "hyperqueue")

SYSTEMS: dict[str, System] = {
    system.name: system for system in (OURS, STDLIB, UPSTREAM, LOKY, DASK, RAY, HYPERQUEUE)
}


def parse_systems(text: str) -> list[System]:
    """Read a comma-separated list of system names.

    Raises:
        ValueError: a name is unknown; the message lists the known ones.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise ValueError(f"unknown system {unknown[0]!r}; known are {', '.join(SYSTEMS)}")
    return [system for system in SYSTEMS.values() if system.name in names]
