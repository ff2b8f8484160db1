"""Load, one task, cleanup: the whole cycle, again and again in one process."""

from __future__ import annotations

import time

from benchmarks import tasks
from benchmarks.pools import open_pool
from benchmarks.stats import median
from benchmarks.workloads.harness import Options, Values, main


def cycle_s(system: str) -> float:
    """Seconds of one cycle."""
    started = time.perf_counter()
    pool = open_pool(system)
    pool.result(pool.submit(tasks.noop))
    pool.close()
    return time.perf_counter() - started


def measure(options: Options) -> Values:
    """The median cycle. The first also imports, so it counts only when it is the only one."""
    cycles_s = [cycle_s(options.system) for _ in range(options.cycles)]
    return {"seconds": median(cycles_s[1:] or cycles_s)}


if __name__ == "__main__":
    main(measure, cycles=4)
