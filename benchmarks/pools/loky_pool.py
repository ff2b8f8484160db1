"""Loky's executor: a ProcessPoolExecutor that pickles more and survives more."""

from __future__ import annotations

import loky

from benchmarks.pools.stdlib_pool import FuturesPool


def open_pool(workers: int, executor: str) -> FuturesPool:
    """A loky ProcessPoolExecutor."""
    return FuturesPool(loky.ProcessPoolExecutor(workers))
