"""A fan-in: one task that depends on very many, all submitted at once."""

from __future__ import annotations

import time

from benchmarks import tasks
from benchmarks.workloads.harness import Options, Values, main, open_warm


def measure(options: Options) -> Values:
    """Submit the tasks and the one that waits for them, wait for that."""
    pool = open_warm(options)
    started = time.perf_counter()
    total = pool.result(pool.submit(tasks.total, *[pool.submit(tasks.link, 0) for _ in range(options.tasks)]))
    elapsed_s = time.perf_counter() - started
    pool.close()
    if total != options.tasks:
        raise SystemExit(f"the sum of {options.tasks} ones is {total}")
    return {"seconds": elapsed_s}


if __name__ == "__main__":
    main(measure, tasks=10_000)
