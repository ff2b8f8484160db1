"""Ray on this host, without its dashboard."""

from __future__ import annotations

import os

import ray

from benchmarks.pools.base import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

#: Bytes of shared memory for arguments and results.
OBJECT_STORE_BYTES = 1_000_000_000


class RayPool(Pool):
    """A local Ray; every function becomes a remote one on first use."""

    def __init__(self, workers: int) -> None:
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=os.path.join(os.getcwd(), "r"),
        )
        self._remotes: dict[Callable[..., Any], Any] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        remote = self._remotes.get(function)
        if remote is None:
            remote = self._remotes[function] = ray.remote(function)
        return remote.remote(*args)

    def result(self, future: Any) -> Any:
        return ray.get(future)

    def results(self, futures: Sequence[Any]) -> list[Any]:
        return list(ray.get(list(futures)))

    def close(self) -> None:
        ray.shutdown()


def open_pool(workers: int, executor: str) -> RayPool:
    """A local Ray with `workers` CPUs."""
    return RayPool(workers)
