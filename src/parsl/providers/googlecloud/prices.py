"""Estimates of what a machine costs: list prices without discounts, taxes, disks and traffic."""

from __future__ import annotations

from collections.abc import Mapping

#: US dollars per hour for a virtual CPU and for a GB of memory, on demand, in us-central1 (Iowa); 2025.
_FAMILIES = {
    "n1": (0.031611, 0.004237),
    "n2": (0.031611, 0.004237),
    "n2d": (0.027502, 0.003686),
    "e2": (0.021812, 0.002924),
    "c2": (0.033982, 0.004550),
    "c2d": (0.029563, 0.003959),
    "t2d": (0.027502, 0.003686),
}
#: US dollars per hour for one accelerator, in the same region.
_ACCELERATORS = {
    "nvidia-tesla-t4": 0.35,
    "nvidia-tesla-p4": 0.60,
    "nvidia-tesla-p100": 1.46,
    "nvidia-tesla-v100": 2.48,
}


def estimated_price(
    machine_type: str, cpus: int, memory_gb: float, accelerators: Mapping[str, int]
) -> float | None:
    """Return the price of a machine for an hour (US dollars), on demand; None if it is not known.

    Args:
        machine_type: The machine type, such as ``n1-standard-4``.
        cpus: Its virtual CPUs.
        memory_gb: Its memory.
        accelerators: How many accelerators of which types are added.
    """
    family = _FAMILIES.get(machine_type.partition("-")[0])
    if family is None or not set(accelerators) <= set(_ACCELERATORS):
        return None
    per_cpu, per_gb = family
    added = sum(_ACCELERATORS[kind] * number for kind, number in accelerators.items())
    return cpus * per_cpu + memory_gb * per_gb + added
