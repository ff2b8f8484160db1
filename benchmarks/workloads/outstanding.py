"""Memory of the driver for each task that waits behind busy workers."""

from __future__ import annotations

import gc
import os
import time

from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.base import Pool
from benchmarks.workloads.harness import (
    MEET_TIMEOUT_S,
    Options,
    Values,
    main,
    open_warm,
    settled_resident_bytes,
)

#: Seconds after which blocked workers continue on their own.
BLOCK_TIMEOUT_S = 120.0


def block_workers(pool: Pool) -> list[object]:
    """Occupy every worker until the file ``blocked`` is removed."""
    os.mkdir("blocks")
    open("blocked", "w").close()
    path, directory = os.path.abspath("blocked"), os.path.abspath("blocks")
    futures: list[object] = [
        pool.submit(tasks.block_while, path, os.path.join(directory, str(number)), BLOCK_TIMEOUT_S)
        for number in range(WORKERS)
    ]
    deadline = time.monotonic() + MEET_TIMEOUT_S
    while len(os.listdir(directory)) < WORKERS and time.monotonic() < deadline:
        time.sleep(0.01)
    return futures


def measure(options: Options) -> Values:
    """Growth of resident memory over the number of waiting tasks."""
    pool = open_warm(options)
    blockers = block_workers(pool)
    gc.collect()
    before = settled_resident_bytes()
    futures = [pool.submit(tasks.noop) for _ in range(options.tasks)]
    gc.collect()
    after = settled_resident_bytes()
    del blockers, futures
    return {"bytes_per_task": (after - before) / options.tasks, "tasks": options.tasks}


if __name__ == "__main__":
    main(measure, tasks=20_000)
    # What is still queued is of no interest: the caller ends every process that is left.
    os._exit(0)
