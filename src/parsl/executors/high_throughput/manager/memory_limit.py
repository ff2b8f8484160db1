"""The memory of workers with everything that they have started: measuring it, and limiting it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from parsl.common.process_facts import proportional_bytes, resident_bytes
from parsl.common.processes import Processes
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.worker.process_ownership import OwnershipTracker

#: How often to measure, in seconds.
PERIOD_S = 1.0
#: The share of a processor that measuring may cost: where it takes long, it happens less often.
MAX_COST = 0.01

GIB = 1024**3


class MemoryLimit:
    """What each worker, with everything that it has started, may use. Owned by the manager's loop."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        #: When to measure next, on the monotonic clock, in seconds.
        self.due_s = 0.0

    def __repr__(self) -> str:
        return f"<MemoryLimit {self.limit_bytes / GIB:g} GiB>"

    def measure(self, workers: Iterable[Worker]) -> list[Worker]:
        begin_s = time.monotonic()
        running = {worker.pid: worker for worker in workers if worker.pid is not None and worker.is_usable}
        used = memory_of_trees({pid: worker.rank for pid, worker in running.items()}, self.limit_bytes)
        now_s = time.monotonic()
        return self.note({running[pid]: size for pid, size in used.items()}, now_s, now_s - begin_s)

    def note(self, used: Mapping[Worker, int], now_s: float, took_s: float) -> list[Worker]:
        """Note how much memory each worker uses, in bytes. Return the workers to be ended.

        A worker above its limit that has never had a task is not among them: the next worker in its place
        would be no better.
        """
        self.due_s = now_s + max(PERIOD_S, took_s / MAX_COST)
        for worker, size in used.items():
            worker.peak_memory = max(size, worker.peak_memory)
        above = [worker for worker, size in used.items() if size > self.limit_bytes]
        return [worker for worker in above if worker.has_run or worker.given]

    def describe_excess(self, peak_bytes: int) -> str:
        return (
            f"was ended: with the processes that it had started it used {peak_bytes / GIB:.2f} GB "
            f"of memory, and its limit is {self.limit_bytes / GIB:g} GB (mem_per_worker, which "
            "enforce_mem_per_worker=True enforces). Give workers more, so that fewer of them fit on a node, "
            "or reduce what the task uses; some of it may have been kept by earlier tasks of that worker."
        )


def memory_of_trees(workers: Mapping[int, int], above_bytes: int) -> dict[int, int]:
    """Measure the workers (ranks by process id) of one fork server, with all their processes, in bytes.

    Pages that several processes share, as parents and forked children do, are in the resident set of each.
    The sum of these is quick to read, and an upper bound. Where it is above the limit, memory is read again
    with each shared page divided among the processes that share it. Workers that have ended are left out.
    """
    processes = Processes()
    alive = processes.alive(workers)
    if not alive:
        return {}
    fork_server = processes[next(iter(alive))].parent
    ownership = OwnershipTracker(fork_server).look(workers, processes=processes)
    used = {}
    for pid in alive:
        members = ownership.of(workers[pid])
        used[pid] = sum(map(resident_bytes, members))
        if used[pid] > above_bytes:
            used[pid] = sum(map(proportional_bytes, members))
    return used
