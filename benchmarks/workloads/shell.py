"""Bash tasks that run ``true``."""

from __future__ import annotations

import time

from benchmarks.pools import open_pool
from benchmarks.workloads.harness import Options, Values, main


def measure(options: Options) -> Values:
    """Run some to warm up, then all."""
    pool = open_pool(options.system)
    pool.run_shells(max(20, options.tasks // 10))
    started = time.perf_counter()
    pool.run_shells(options.tasks)
    elapsed_s = time.perf_counter() - started
    pool.close()
    return {"tasks_per_s": options.tasks / elapsed_s}


if __name__ == "__main__":
    main(measure, tasks=1000)
