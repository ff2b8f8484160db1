"""Measuring the memory of workers with all that they have started (/proc)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping

from parsl.common.process_tree import Processes
from parsl.executors.high_throughput.manager.memory_limit import MemoryLimit
from parsl.executors.high_throughput.manager.state import Slot
from parsl.executors.high_throughput.worker.process_ownership import OwnershipTracker

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def workers_over(limit: MemoryLimit, slots: Iterable[Slot]) -> list[tuple[int, Slot]]:
    """Measure the workers that are in these slots. Returns: those to be ended, with their process ids."""
    begin_s = time.monotonic()
    found = {slot.pid: slot for slot in slots if slot.pid is not None and slot.is_usable}
    used = memory_of_trees({pid: slot.rank for pid, slot in found.items()}, limit.limit_bytes)
    busy = [pid for pid, slot in found.items() if slot.given]
    now_s = time.monotonic()
    return [(pid, found[pid]) for pid in limit.measured(used, busy, now_s, now_s - begin_s)]


def memory_of_trees(workers: Mapping[int, int], above_bytes: int) -> dict[int, int]:
    """Measure each worker with all its processes.

    Pages that several processes share, as parents and forked children do, are in the resident set of each:
    the sum of these is quick to read, and the most that it can be. Where it is too much, it is read anew with
    each shared page divided among those that share it.

    Args:
        workers: the ranks of the workers, by process id; all those of one fork server.
        above_bytes: what is too much.

    Returns:
        The memory of each worker that is alive, in bytes.
    """
    processes = Processes()
    alive = processes.alive(workers)
    if not alive:
        return {}
    ownership = OwnershipTracker(processes[next(iter(alive))].parent).look(workers, processes=processes)
    used = {}
    for pid in alive:
        members = ownership.of(workers[pid])
        used[pid] = sum(map(resident_bytes, members))
        if used[pid] > above_bytes:
            used[pid] = sum(map(proportional_bytes, members))
    return used


def resident_bytes(pid: int) -> int:
    """The resident set of a process, in bytes; 0 for one that has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """A process's part of the memory that it uses, in bytes; its resident set where that is not told."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return _pss_of(file.read().splitlines()) or resident_bytes(pid)
    except OSError:
        return resident_bytes(pid)


def _pss_of(lines: Iterable[bytes]) -> int:
    for line in lines:
        name, _, value = line.partition(b":")
        if name == b"Pss":
            return int(value.split()[0]) * 1024
    return 0
