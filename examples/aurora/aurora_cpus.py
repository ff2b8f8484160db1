"""Where Aurora's CPU list puts each worker on this machine."""

from __future__ import annotations

import os

LIST = (
    "0-7,104-111:8-15,112-119:16-23,120-127:24-31,128-135:32-39,136-143:40-47,144-151:"
    "52-59,156-163:60-67,164-171:68-75,172-179:76-83,180-187:84-91,188-195:92-99,196-203"
)


def expected_cpus(rank: int) -> str:
    """Return the CPUs of a worker, in the kernel's notation: those of the list that exist, or all."""
    usable = sorted(os.sched_getaffinity(0))
    return notation([cpu for cpu in usable if cpu in listed_cpus(rank)] or usable)


def listed_cpus(rank: int) -> set[int]:
    """Return the CPUs that the list has for a worker."""
    listed: set[int] = set()
    for part in LIST.split(":")[rank].split(","):
        low, high = part.split("-")
        listed.update(range(int(low), int(high) + 1))
    return listed


def notation(cpus: list[int]) -> str:
    """Return sorted CPUs in the kernel's notation: 0-7,104-111."""
    parts: list[list[int]] = []
    for cpu in cpus:
        if parts and cpu == parts[-1][-1] + 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in parts)
