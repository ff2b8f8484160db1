"""What another engine's executor costs: its rate and latency next to those of the engine used directly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.workloads.harness import Options, Values, main
from parsl.config import Config
from parsl.executors import ConcurrentExecutor, DaskExecutor, RayExecutor

WARM_UP_TASKS = 200


class Engine:
    """An engine with ``WORKERS`` workers, used directly, and through an executor on the same workers."""

    executor: Any

    def submit(self, number: int) -> Callable[[], Any]:
        """Start one no-op task; returns what waits for its result."""
        raise NotImplementedError

    def run(self, count: int) -> None:
        """Run many no-op tasks in the way that the engine recommends for many."""
        for wait in [self.submit(number) for number in range(count)]:
            wait()

    def close(self) -> None:
        """End the engine."""
        raise NotImplementedError


class PoolEngine(Engine):
    """The standard library's pool of processes."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(WORKERS)
        self.executor = ConcurrentExecutor(self._pool)

    def submit(self, number: int) -> Callable[[], Any]:
        return self._pool.submit(tasks.take, number).result

    def close(self) -> None:
        self._pool.shutdown()


class DaskEngine(Engine):
    """A scheduler in this process, and workers in processes of their own."""

    def __init__(self) -> None:
        from distributed import Client, LocalCluster

        self._cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)
        self._client = Client(self._cluster)
        self.executor = DaskExecutor(self._cluster)

    def submit(self, number: int) -> Callable[[], Any]:
        future = self._client.submit(tasks.take, number, pure=False)
        return lambda: future.result()

    def run(self, count: int) -> None:
        self._client.gather(self._client.map(tasks.take, range(count), pure=False))

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


class RayEngine(Engine):
    """A node of Ray on this machine."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
        self._take = ray.remote(tasks.take)
        self.executor = RayExecutor()

    def submit(self, number: int) -> Callable[[], Any]:
        reference = self._take.remote(number)
        return lambda: self._ray.get(reference)

    def run(self, count: int) -> None:
        self._ray.get([self._take.remote(number) for number in range(count)])

    def close(self) -> None:
        self._ray.shutdown()


ENGINES: dict[str, Callable[[], Engine]] = {"pool": PoolEngine, "dask": DaskEngine, "ray": RayEngine}


def measure(options: Options) -> Values:
    """Alternate between the executor and the engine, on the same workers.

    Returns:
        The executor's rate (tasks/s), its ratio to the engine's, and what it adds to the latency (ms).
    """
    engine = ENGINES[options.engine]()
    try:
        config = Config(executors=[engine.executor], run_dir=os.path.abspath("runinfo"), strategy="none")
        with parsl.load(config):
            return _compare(parsl.python_app(tasks.take), engine, options)
    finally:
        engine.close()


def _compare(app: Callable[[int], Any], engine: Engine, options: Options) -> Values:
    def run(count: int) -> None:
        for future in [app(number) for number in range(count)]:
            future.result()

    for each in (run, engine.run):
        each(WARM_UP_TASKS)
    rates, ratios, trips, direct_trips = [], [], [], []
    for _ in range(options.repeats):
        rates.append(options.tasks / _seconds(run, options.tasks))
        ratios.append(rates[-1] * _seconds(engine.run, options.tasks) / options.tasks)
        for number in range(options.trips):
            trips.append(_seconds(_wait, lambda number=number: app(number).result))
            direct_trips.append(_seconds(_wait, lambda number=number: engine.submit(number)))
    added_ms = 1000 * (median(trips) - median(direct_trips))
    return {"tasks_per_s": median(rates), "rate_share": median(ratios), "added_ms": added_ms}


def _wait(start: Callable[[], Callable[[], Any]]) -> None:
    start()()


def _seconds(function: Callable[..., object], *arguments: Iterable[Any] | Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(measure, engine="pool", tasks=2000, trips=200, repeats=3)
