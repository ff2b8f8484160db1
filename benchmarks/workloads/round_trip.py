"""Sequential round trips: submit one task, wait for its result, again."""

from __future__ import annotations

import time

from benchmarks import tasks
from benchmarks.stats import median, percentile
from benchmarks.workloads.harness import Options, Values, main, open_warm


def measure(options: Options) -> Values:
    """Time each of many round trips."""
    pool = open_warm(options)
    clock, noop = time.perf_counter, tasks.noop
    trips_s = []
    for _ in range(options.trips):
        started = clock()
        pool.result(pool.submit(noop))
        trips_s.append(clock() - started)
    pool.close()
    return {"median_ms": median(trips_s) * 1e3, "p99_ms": percentile(trips_s, 99) * 1e3}


if __name__ == "__main__":
    main(measure, trips=1500)
