"""A chain: each task takes the future of the one before it."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import tasks
from benchmarks.workloads.harness import Options, Values, main, open_warm


def measure(options: Options) -> Values:
    """Submit the whole chain, wait for its end."""
    pool = open_warm(options, options.executor)
    started = time.perf_counter()
    future: Any = 0
    for _ in range(options.links):
        future = pool.submit(tasks.link, future)
    last = pool.result(future)
    elapsed_s = time.perf_counter() - started
    pool.close()
    if last != options.links:
        raise SystemExit(f"the chain ended with {last}, not {options.links}")
    return {"links_per_s": options.links / elapsed_s}


if __name__ == "__main__":
    main(measure, links=1000, executor="processes")
