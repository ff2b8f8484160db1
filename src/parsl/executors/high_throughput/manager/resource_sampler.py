"""What running tasks use, with all their processes: samples for monitoring, taken where it is switched on."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from parsl.common.processes import Processes
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire.protocol import Result
from parsl.executors.high_throughput.worker.process_ownership import OwnershipTracker
from parsl.vocabulary.run_facts import ResourceSample
from parsl.vocabulary.run_observer import unpack_usage

#: The share of a processor that sampling may cost: where it takes long, it happens less often.
MAX_COST = 0.02


class ResourceSampler:
    """Samples the tasks that have been running for an interval or longer. Owned by the manager's loop.

    A worker runs many tasks. The processor time that the earlier ones have used is left out, as far as the
    worker has reported it.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        #: When to take the next samples, on the monotonic clock, in seconds.
        self.due_s = 0.0

    def __repr__(self) -> str:
        return f"<ResourceSampler every {self._interval_s:g} s>"

    def task_ended(self, worker: Worker, result: Result) -> None:
        """Note the processor time that a task has used."""
        if (used := unpack_usage(result.usage)) is not None:
            worker.used_cpu_s += used.cpu_s

    def take(self, workers: Iterable[Worker], now_s: float) -> dict[int, ResourceSample]:
        """Return samples of the running tasks, by their numbers."""
        long = [worker for worker in workers if worker.given and now_s - worker.started >= self._interval_s]
        samples = self._measure({worker.pid: worker for worker in long if worker.pid is not None})
        took_s = time.monotonic() - now_s
        self.due_s = now_s + max(self._interval_s, took_s / MAX_COST)
        return samples

    def _measure(self, workers: dict[int, Worker]) -> dict[int, ResourceSample]:
        processes = Processes() if workers else Processes({})
        alive = processes.alive(workers)
        if not alive:
            return {}
        fork_server = processes[next(iter(alive))].parent
        ranks = {pid: workers[pid].rank for pid in alive}
        ownership = OwnershipTracker(fork_server).look(ranks, processes=processes)
        found = {}
        for pid in alive:
            worker = workers[pid]
            sample = measure_tree(pid, ownership.of(worker.rank), worker.used_cpu_s)
            if sample is not None:
                found[worker.given[0].id] = sample
        return found


def measure_tree(pid: int, members: Collection[int], before_s: float = 0.0) -> ResourceSample | None:
    """Measure a process and those that belong to it; None if the process has ended.

    Args:
        pid: The process.
        members: Its processes, with itself.
        before_s: Processor time, in seconds, that the process had used before and that does not count.
    """
    import psutil

    sums = _Sums()
    for member in members:
        try:
            sums.add(psutil.Process(member))
        except psutil.Error:
            continue  # it has just ended, or belongs to another user
    try:
        process = psutil.Process(pid)
        status, cpu_number = process.status(), str(process.cpu_num()) if hasattr(process, "cpu_num") else ""
    except psutil.Error:
        return None
    counted = max(0.0, 1 - before_s / (sums.user_s + sums.system_s)) if sums.user_s + sums.system_s else 0.0
    return ResourceSample(
        pid=pid,
        memory_resident=sums.resident,
        memory_virtual=sums.virtual,
        memory_percent=100 * sums.resident / _total_memory(),
        user_s=sums.user_s * counted,
        system_s=sums.system_s * counted,
        children=len(members) - 1,
        disk_read=sums.disk_read,
        disk_write=sums.disk_write,
        voluntary_switches=sums.voluntary,
        involuntary_switches=sums.involuntary,
        status=status,
        cpu_number=cpu_number,
    )


class _Sums:
    """Totals of several processes."""

    def __init__(self) -> None:
        self.resident = self.virtual = self.disk_read = self.disk_write = 0
        self.voluntary = self.involuntary = 0
        #: With the processes that were waited for.
        self.user_s = self.system_s = 0.0

    def add(self, process: Any) -> None:
        with process.oneshot():
            cpu, memory, switches = process.cpu_times(), process.memory_info(), process.num_ctx_switches()
            disk = process.io_counters() if hasattr(process, "io_counters") else None
        self.user_s += cpu.user + getattr(cpu, "children_user", 0.0)
        self.system_s += cpu.system + getattr(cpu, "children_system", 0.0)
        self.resident += memory.rss
        self.virtual += memory.vms
        self.voluntary += switches.voluntary
        self.involuntary += switches.involuntary
        if disk is not None:
            self.disk_read += disk.read_bytes
            self.disk_write += disk.write_bytes


@cache
def _total_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)
