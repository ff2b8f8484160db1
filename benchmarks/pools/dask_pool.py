"""Dask's distributed scheduler on a local cluster of single-threaded processes."""

from __future__ import annotations

import dask.distributed

from benchmarks.pools.base import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class DaskPool(Pool):
    """A client and its local cluster."""

    def __init__(self, workers: int) -> None:
        self._cluster = dask.distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        )
        self._client = dask.distributed.Client(self._cluster)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._client.submit(function, *args, pure=False)

    def results(self, futures: Sequence[Any]) -> list[Any]:
        return list(self._client.gather(list(futures)))

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


def open_pool(workers: int, executor: str) -> DaskPool:
    """A local cluster with a client."""
    return DaskPool(workers)
