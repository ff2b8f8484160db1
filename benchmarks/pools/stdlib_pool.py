"""The pools of concurrent.futures."""

from __future__ import annotations

import concurrent.futures

from benchmarks.pools.base import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class FuturesPool(Pool):
    """Any executor of the concurrent.futures kind."""

    def __init__(self, executor: concurrent.futures.Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._executor.submit(function, *args)

    def close(self) -> None:
        self._executor.shutdown()


def open_pool(workers: int, executor: str) -> FuturesPool:
    """A ProcessPoolExecutor or a ThreadPoolExecutor."""
    if executor == "threads":
        return FuturesPool(concurrent.futures.ThreadPoolExecutor(workers))
    return FuturesPool(concurrent.futures.ProcessPoolExecutor(workers))
