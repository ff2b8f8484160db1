"""What the event log costs: the rate and the round trip of no-op tasks with it and without, and its size.

The speed of a shared machine changes from second to second. So two kernels take turns, with bursts of tasks
for about a second each. The log is written every half second: the processor time that the driver uses after
a turn is added to the time of the turn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from math import sqrt
from statistics import median
from typing import Any

import parsl
from benchmarks import tasks
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.workloads.harness import WARM_UP_TASKS, Options, Values, main, rate
from parsl.dataflow.dflow import DataFlowKernel
from parsl.eventlog import EVENT_LOG

TRIPS = 1000
BURSTS_PER_TURN = 10
#: The log is written this long after a turn, at the latest (s).
SETTLED_S = 0.8


def round_trip_s(app: Callable[[int], Any]) -> float:
    """Call an app and wait, in sequence; the median in seconds."""
    trips = []
    for number in range(TRIPS):
        started = time.perf_counter()
        app(number).result()
        trips.append(time.perf_counter() - started)
    time.sleep(SETTLED_S)
    return median(trips)


def turn_s(app: Callable[[int], Any], number: int) -> float:
    """Call an app many times and wait for all results, and that several times.

    Returns:
        Seconds, with what is done afterwards.
    """
    started_s = time.perf_counter()
    for _ in range(BURSTS_PER_TURN):
        rate(app, range(number))
    taken_s = time.perf_counter() - started_s
    used_s = time.process_time()
    time.sleep(SETTLED_S)
    return taken_s + time.process_time() - used_s


def compare(options: Options, *, logged_first: bool) -> Values:
    """Alternate between two kernels, each with its own workers, of which one has an event log."""
    kernels, apps = {}, {}
    for has_log in (True, False) if logged_first else (False, True):
        config = process_config(WORKERS)
        config.event_log = has_log
        kernels[has_log] = DataFlowKernel(config)
        apps[has_log] = parsl.python_app(tasks.take, data_flow_kernel=kernels[has_log])
        rate(apps[has_log], range(WARM_UP_TASKS))
    turns, trips = [], []
    for number in range(options.repeats):
        order = (False, True) if number % 2 else (True, False)
        turns.append({each: turn_s(apps[each], options.tasks) for each in order})
        trips.append({each: round_trip_s(apps[each]) for each in order})
    logged = kernels[True].task_count
    for kernel in kernels.values():
        kernel.cleanup()
    return {
        "rate_share": median(each[False] / each[True] for each in turns),
        "trip_share": median(each[True] / each[False] for each in trips),
        "bytes_per_task": os.path.getsize(os.path.join(kernels[True].run_dir, EVENT_LOG)) / logged,
    }


def measure(options: Options) -> Values:
    """Compare with the logged kernel as the first one, and as the second.

    The second kernel of a process is slower by a twentieth, log or not. The geometric mean is free of that.
    """
    first, second = (compare(options, logged_first=is_first) for is_first in (True, False))
    return {name: sqrt(first[name] * second[name]) for name in first}


if __name__ == "__main__":
    main(measure, tasks=5_000, repeats=25)
