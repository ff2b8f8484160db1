"""What MonitoringHub costs a run: its rate with it and without, and what its end waits for the writer."""

from __future__ import annotations

import sqlite3
import time
from statistics import median

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.workloads.harness import WARM_UP_TASKS, Options, Values, main, rate
from parsl.dataflow.dflow import DataFlowKernel
from parsl.monitoring import MonitoringHub

DATABASE = "monitoring.db"
#: How long the writer may take to catch up (s).
CATCH_UP_S = 120.0
RECORDED = "SELECT COUNT(*) FROM task WHERE task_time_returned IS NOT NULL"


class TimedHub(MonitoringHub):
    """Measures how long the end of the run waits for the writer, in seconds."""

    close_s = 0.0

    def close(self) -> None:
        started = time.perf_counter()
        super().close()
        self.close_s = time.perf_counter() - started


def wait_until_recorded(count: int) -> None:
    """Wait for the writer, so that it does not slow down what is measured next."""
    deadline = time.monotonic() + CATCH_UP_S
    connection = sqlite3.connect(DATABASE)
    while connection.execute(RECORDED).fetchone()[0] < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"the writer has not recorded {count} tasks within {CATCH_UP_S:.0f} s")
        time.sleep(0.1)
    connection.close()


def measure(options: Options) -> Values:
    """Alternate between two kernels, each with its own workers, of which one has a hub.

    A rate is that of enough tasks to keep the writer busy meanwhile.
    """
    hub = TimedHub(logging_endpoint=f"sqlite:///{DATABASE}")
    kernels, apps = [], []
    for monitoring in (None, hub):
        config = process_config(WORKERS)
        config.monitoring = monitoring
        kernels.append(DataFlowKernel(config))
        apps.append(parsl.python_app(tasks.take, data_flow_kernel=kernels[-1]))
        rate(apps[-1], range(WARM_UP_TASKS))
    shares = []
    for number in range(options.repeats):
        rates = {}
        for each in (0, 1) if number % 2 else (1, 0):
            rates[each] = rate(apps[each], range(options.tasks))
            wait_until_recorded(kernels[1].task_count)
        shares.append(rates[1] / rates[0])
    rate(apps[1], range(options.tasks))
    for kernel in reversed(kernels):
        kernel.cleanup()
    return {"rate_share": median(shares), "end_s": hub.close_s}


if __name__ == "__main__":
    main(measure, tasks=50_000, repeats=5)
