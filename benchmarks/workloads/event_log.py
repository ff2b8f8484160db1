"""What the event log costs: the rate and the round trip of no-op tasks with it and without, and its size.

The log is written twice per second. A measurement takes several seconds, so that it contains the writing, and
begins when that of the one before is over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.workloads.harness import WARM_UP_TASKS, Options, Values, main, rate
from parsl.dataflow.dflow import DataFlowKernel
from parsl.eventlog import EVENT_LOG

TRIPS = 4000
#: The log is complete when it has not grown for this long (s): twice the time between two writes.
SETTLED_S = 1.0


def round_trip_s(app: Callable[[int], Any]) -> float:
    """Call an app and wait, in sequence; the median in seconds."""
    trips = []
    for number in range(TRIPS):
        started = time.perf_counter()
        app(number).result()
        trips.append(time.perf_counter() - started)
    return median(trips)


def wait_until_written(kernel: DataFlowKernel) -> None:
    """Wait until the event log of a kernel has stopped growing."""
    path = os.path.join(kernel.run_dir, EVENT_LOG)
    size = -1
    while size != (size := os.path.getsize(path)):
        time.sleep(SETTLED_S)


def in_turn(order: tuple[int, ...], take: Callable[[int], float], logged: DataFlowKernel) -> dict[int, float]:
    """Take measurements one after the other, each without the writing of the one before."""
    found = {}
    for each in order:
        found[each] = take(each)
        wait_until_written(logged)
    return found


def measure(options: Options) -> Values:
    """Alternate between two kernels, each with its own workers, of which one has an event log."""
    kernels, apps = [], []
    for has_log in (False, True):
        config = process_config(WORKERS)
        config.event_log = has_log
        kernels.append(DataFlowKernel(config))
        apps.append(parsl.python_app(tasks.take, data_flow_kernel=kernels[-1]))
        rate(apps[-1], range(WARM_UP_TASKS))
    rates, trips = [], []
    for number in range(options.repeats):
        order = (0, 1) if number % 2 else (1, 0)
        rates.append(in_turn(order, lambda each: rate(apps[each], range(options.tasks)), kernels[1]))
        trips.append(in_turn(order, lambda each: round_trip_s(apps[each]), kernels[1]))
    logged = kernels[1].task_count
    for kernel in kernels:
        kernel.cleanup()
    return {
        "rate_share": median(each[1] / each[0] for each in rates),
        "trip_share": median(each[1] / each[0] for each in trips),
        "bytes_per_task": os.path.getsize(os.path.join(kernels[1].run_dir, EVENT_LOG)) / logged,
    }


if __name__ == "__main__":
    main(measure, tasks=40_000, repeats=7)
