"""Tasks per second with a bytes argument of growing size."""

from __future__ import annotations

import os
import time

from benchmarks import tasks
from benchmarks.pools.base import Pool
from benchmarks.workloads.harness import Options, Values, main, open_warm

#: Length of the argument in bytes, and the maximum number of tasks with it.
SIZES = {
    "1KB": (1_000, 5000),
    "100KB": (100_000, 2000),
    "1MB": (1_000_000, 300),
    "10MB": (10_000_000, 30),
}

#: The minimum number of tasks of each size.
MIN_TASKS = 4


def run_batch(pool: Pool, payload: bytes, count: int) -> float:
    """Seconds from the first submit to the last result of `count` tasks."""
    started = time.perf_counter()
    sizes = pool.results([pool.submit(tasks.size_of, payload) for _ in range(count)])
    elapsed_s = time.perf_counter() - started
    if set(sizes) != {len(payload)}:
        raise SystemExit(f"arguments arrived with {set(sizes)} bytes, not {len(payload)}")
    return elapsed_s


def rate(pool: Pool, size: int, most: int, duration_s: float) -> float:
    """Tasks per second, from as many tasks as fit in `duration_s`."""
    payload = os.urandom(size)
    pilot = max(MIN_TASKS, most // 20)
    pilot_s = run_batch(pool, payload, pilot)
    count = min(most, max(MIN_TASKS, int(duration_s * pilot / pilot_s)))
    return count / run_batch(pool, payload, count)


def measure(options: Options) -> Values:
    """The rate for every size."""
    pool = open_warm(options)
    values = {name: rate(pool, size, most, options.duration_s) for name, (size, most) in SIZES.items()}
    pool.close()
    return values


if __name__ == "__main__":
    main(measure, duration_s=1.0)
