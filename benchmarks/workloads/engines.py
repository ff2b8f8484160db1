"""What another engine's executor costs: its rate and latency next to those of the engine used directly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any, Literal

import parsl
from benchmarks import tasks
from benchmarks.environments import ROOT
from benchmarks.pools import WORKERS
from benchmarks.workloads import cctools_direct
from benchmarks.workloads.harness import Options, Values, main
from parsl.config import Config
from parsl.executors import (
    ConcurrentExecutor,
    DaskExecutor,
    FluxExecutor,
    GlobusComputeExecutor,
    RadicalPilotExecutor,
    RayExecutor,
    WorkQueueExecutor,
)
from parsl.executors.cctools.executor import CCToolsExecutor
from parsl.executors.cctools.interpreters import VARIABLE, find_interpreter
from parsl.executors.radical import ResourceConfig
from parsl.providers import LocalProvider

WARM_UP_TASKS = 200
FLUX_STAND_IN = ROOT / "tests" / "support" / "flux_stand_in"


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


class CCToolsEngine(Engine):
    """Work Queue or TaskVine, whose library is in a process of its own, with workers of one core.

    Its PythonTask is the engine used directly. The executor has as many workers of its own, because a worker
    serves one manager.

    Args:
        executor: The executor, without workers.
        library_path: Where this Python finds the library, if the one that has it cannot run a PythonTask.
    """

    def __init__(self, executor: CCToolsExecutor, library_path: str = "") -> None:
        self.executor = executor
        name = type(executor).__name__
        python = find_interpreter(executor.modules, executor.tool, name, executor.remedy)
        command = [sys.executable] if library_path else python.command
        self._manager = subprocess.Popen(
            [*command, cctools_direct.__file__, python.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": library_path},
        )
        self._workers = [self._start_worker(self._read().strip())]
        self._workers += [self._start_worker(self._workers[0].args[2]) for _ in range(WORKERS - 1)]

    def _start_worker(self, port: str) -> subprocess.Popen[bytes]:
        command = [self.executor.tool, "127.0.0.1", port, "--cores=1", "--single-shot"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _read(self) -> str:
        line = self._manager.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.executor.engine} used directly has failed; see the standard error")
        return line

    def _send(self, count: int) -> None:
        self._manager.stdin.write(f"{count}\n")
        self._manager.stdin.flush()

    def submit(self, number: int) -> Callable[[], Any]:
        self._send(1)
        return self._read

    def run(self, count: int) -> None:
        self._send(count)
        self._read()

    def close(self) -> None:
        self._manager.stdin.close()
        for process in (self._manager, *self._workers):
            process.terminate()
            process.wait()


def work_queue() -> Engine:
    """Work Queue; a Debian package has it for Debian's own Python."""
    provider = LocalProvider(init_blocks=WORKERS, max_blocks=WORKERS)
    executor = WorkQueueExecutor(address="127.0.0.1", worker_options="--cores=1", provider=provider)
    return CCToolsEngine(executor, library_path="/usr/lib/python3/dist-packages")


def task_vine(mode: Literal["regular", "serverless"] = "regular") -> Engine:
    """TaskVine; that of Debian 13 in the directory of the tests if this machine has none."""
    if shutil.which("vine_worker") is None:
        from tests.support.cctools import task_vine_programs

        programs = task_vine_programs()
        os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        os.environ[VARIABLE] = f"{programs}/python3 -W ignore"
    from parsl.executors import taskvine

    executor = taskvine.TaskVineExecutor(
        worker_launch_method="provider",
        function_exec_mode=mode,
        manager_config=taskvine.TaskVineManagerConfig(address="127.0.0.1"),
        factory_config=taskvine.TaskVineFactoryConfig(worker_options="--cores=1"),
        provider=LocalProvider(init_blocks=WORKERS, max_blocks=WORKERS),
    )
    return CCToolsEngine(executor)


class FluxEngine(Engine):
    """The tests' stand-in for Flux, whose jobs are processes: one that starts Python, used directly."""

    def __init__(self) -> None:
        sys.path.append(str(FLUX_STAND_IN / "modules"))
        os.environ["FLUX_STAND_IN_CORES"] = str(WORKERS)
        self._job = import_module("flux.job")
        self._direct = self._job.FluxExecutor()
        self.executor = FluxExecutor(
            provider=LocalProvider(init_blocks=1, max_blocks=1), flux_path=str(FLUX_STAND_IN / "bin" / "flux")
        )

    def submit(self, number: int) -> Callable[[], Any]:
        command = [sys.executable, "-c", f"from benchmarks.tasks import take; take({number})"]
        spec = self._job.JobspecV1.from_command(command)
        spec.environment = dict(os.environ)
        return self._direct.submit(spec).result

    def close(self) -> None:
        self._direct.shutdown()


class GlobusComputeEngine(Engine):
    """The SDK's executor, with an endpoint on our workers and the tests' stand-in for the web service.

    The SDK looks for results twice per second, and delays submissions after four within 16 s, for the sake of
    the service. Here it does neither, so that these times do not cover what the executor costs.
    """

    def __init__(self) -> None:
        from tests.support.globus_compute.conformance import make_executor, watcher

        import_module("globus_compute_sdk.sdk.executor")._ResultWatcher = watcher(poll_period_s=0.001)
        self._direct, ours = make_executor(), make_executor()
        self._direct.api_burst_limit = ours.api_burst_limit = 100_000
        self.executor = GlobusComputeExecutor(ours)

    def submit(self, number: int) -> Callable[[], Any]:
        return self._direct.submit(tasks.take, number).result

    def close(self) -> None:
        self._direct.shutdown()


class RadicalPilotEngine(Engine):
    """A pilot on this machine whose tasks start Python, used directly; the executor has its own."""

    def __init__(self) -> None:
        self._rp = import_module("radical.pilot")
        self._session = self._rp.Session()
        pilots = self._rp.PilotManager(session=self._session)
        size = {"resource": "local.localhost", "cores": WORKERS, "runtime": 60}
        pilot = pilots.submit_pilots(self._rp.PilotDescription(size))
        self._tasks = self._rp.TaskManager(session=self._session)
        self._tasks.add_pilots(pilot)
        self.executor = RadicalPilotExecutor(
            "local.localhost", rpex_cfg=ResourceConfig(worker_cores_per_node=WORKERS), runtime=60
        )

    def _description(self, number: int) -> Any:
        arguments = ["-c", f"from benchmarks.tasks import take; take({number})"]
        return self._rp.TaskDescription(
            {"executable": sys.executable, "arguments": arguments, "environment": {"PYTHONPATH": str(ROOT)}}
        )

    def submit(self, number: int) -> Callable[[], Any]:
        return self._start([self._description(number)])

    def run(self, count: int) -> None:
        self._start([self._description(number) for number in range(count)])()

    def _start(self, descriptions: list[Any]) -> Callable[[], Any]:
        uids = [task.uid for task in self._tasks.submit_tasks(descriptions)]
        return lambda: self._tasks.wait_tasks(uids)

    def close(self) -> None:
        self._session.close()


#: Both have packages of their own, and need an environment and namespaces.
NEXT_TO_ENDPOINT = "globus-compute"
RADICAL = "radical-pilot"
_IS_THERE = "BENCHMARK_ENGINE_ENVIRONMENT"
ENGINES: dict[str, Callable[[], Engine]] = {
    "pool": PoolEngine,
    "dask": DaskEngine,
    "ray": RayEngine,
    "work-queue": work_queue,
    "taskvine": task_vine,
    "taskvine-serverless": partial(task_vine, "serverless"),
    "flux": FluxEngine,
    NEXT_TO_ENDPOINT: GlobusComputeEngine,
    RADICAL: RadicalPilotEngine,
}


def measure_anywhere(options: Options) -> Values:
    """Measure here, or in the environment that the engine needs. See :func:`measure`."""
    if options.engine not in (NEXT_TO_ENDPOINT, RADICAL) or os.environ.get(_IS_THERE):
        return measure(options)
    from tests.support.engine_environments import GLOBUS_COMPUTE, RADICAL_PILOT, python_of, variables
    from tests.support.simulated_hosts import NAMESPACES

    if options.engine == RADICAL:
        python = python_of(RADICAL_PILOT)
        before = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    else:
        python = python_of(GLOBUS_COMPUTE)
        before = [str(python), "-m", "tests.support.globus_compute.endpoint", "endpoint"]
    command = [*before, str(python), "-m", "benchmarks.workloads.engines", *sys.argv[1:]]
    environment = {**variables(python), _IS_THERE: "1", "HOME": os.getcwd()}  # RADICAL-Pilot writes there
    done = subprocess.run(
        ["unshare", *NAMESPACES, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])["values"]


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
        each(min(WARM_UP_TASKS, options.tasks))
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
    main(measure_anywhere, engine="pool", tasks=2000, trips=200, repeats=3)
