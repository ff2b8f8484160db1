"""HyperQueue's local cluster. It runs programs, so it takes part in the bash tasks only."""

from __future__ import annotations

import os

import hyperqueue
import hyperqueue.client
import hyperqueue.cluster

from benchmarks.pools.base import Pool


class HyperQueuePool(Pool):
    """A server and one worker; all tasks are submitted as one job."""

    def __init__(self, workers: int) -> None:
        worker = hyperqueue.cluster.WorkerConfig(cores=workers)
        self._cluster = hyperqueue.LocalCluster(os.path.join(os.getcwd(), "hq"), worker)
        self._client = self._cluster.client()

    def run_shells(self, count: int) -> None:
        job = hyperqueue.Job()
        for _ in range(count):
            job.program(["/bin/bash", "-c", "true"], stdout=None, stderr=None)
        self._client.wait_for_jobs([self._client.submit(job)])

    def close(self) -> None:
        self._cluster.stop()


def open_pool(workers: int, executor: str) -> HyperQueuePool:
    """A local cluster whose one worker has `workers` cores."""
    return HyperQueuePool(workers)
