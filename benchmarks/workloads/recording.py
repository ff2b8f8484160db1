"""How fast the writer of MonitoringHub records a run, from its event log into an SQLite file."""

from __future__ import annotations

import time

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.workloads.harness import Options, Values, main
from parsl.dataflow.dflow import DataFlowKernel
from parsl.eventlog.file import EventReader
from parsl.monitoring.database.filling import Filling
from parsl.monitoring.database.sqlite import SqliteStore

DATABASE = "recorded.db"


def run_tasks(count: int) -> str:
    """Run no-op tasks; return the run directory."""
    with DataFlowKernel(process_config(WORKERS)) as kernel:
        app = parsl.python_app(tasks.take, data_flow_kernel=kernel)
        for future in [app(number) for number in range(count)]:
            future.result()
    return kernel.run_dir


def has_ended(duration_s: float) -> bool:
    """There is nothing to wait for: the run is over."""
    return True


def measure(options: Options) -> Values:
    """Record a run that is over, with the interval that resource monitoring has by default."""
    run_dir = run_tasks(options.tasks)
    started, used = time.perf_counter(), time.process_time()
    with EventReader(run_dir) as reader:
        store = SqliteStore(DATABASE)
        Filling(reader, store, resource_interval_s=30.0, wait=has_ended, warn=print).run()
    return {
        "tasks_per_s": options.tasks / (time.perf_counter() - started),
        "processor_us": (time.process_time() - used) / options.tasks * 1e6,
        "tasks": options.tasks,
    }


if __name__ == "__main__":
    main(measure, tasks=50_000)
