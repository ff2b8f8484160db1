"""Very many no-op tasks through a bounded window: does the rate hold, does memory grow?"""

from __future__ import annotations

import collections
import time
from typing import Any

from benchmarks import tasks
from benchmarks.pools.base import Pool
from benchmarks.workloads.harness import Options, Values, main, open_warm, resident_bytes

#: The number of tasks in a batch.
BATCH = 1000

#: The number of parts of a run; the rates of the last and the first are compared.
PARTS = 10


class Window:
    """Keeps at most `size` tasks outstanding, by waiting for the oldest batch."""

    def __init__(self, pool: Pool, size: int) -> None:
        self._pool = pool
        self._batches: collections.deque[list[Any]] = collections.deque()
        self._most_batches = max(1, size // BATCH)

    def submit_batch(self) -> None:
        """Submit a batch, once there is room for it."""
        if len(self._batches) >= self._most_batches:
            self._pool.results(self._batches.popleft())
        submit, noop = self._pool.submit, tasks.noop
        self._batches.append([submit(noop) for _ in range(BATCH)])

    def drain(self) -> None:
        """Wait for everything."""
        while self._batches:
            self._pool.results(self._batches.popleft())


def measure(options: Options) -> Values:
    """The rates of the first and last part, and memory after each."""
    pool = open_warm(options)
    window = Window(pool, options.window)
    for _ in range(options.window // BATCH):
        window.submit_batch()
    rates, memory = [], []
    batches = options.tasks // PARTS // BATCH
    started = time.perf_counter()
    for _ in range(PARTS):
        part_started = time.perf_counter()
        for _ in range(batches):
            window.submit_batch()
        rates.append(batches * BATCH / (time.perf_counter() - part_started))
        memory.append(resident_bytes())
    elapsed_s = time.perf_counter() - started
    window.drain()
    pool.close()
    return {
        "end_to_start": (rates[-1] + rates[-2]) / (rates[0] + rates[1]),
        "tasks_per_s": PARTS * batches * BATCH / elapsed_s,
        "growth_mb": (memory[-1] - memory[0]) / 1e6,
        "tasks": PARTS * batches * BATCH,
    }


if __name__ == "__main__":
    main(measure, tasks=200_000, window=10_000)
