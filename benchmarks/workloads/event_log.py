"""What the event log costs: the rate and the round trip of no-op tasks with it and without, and its size.

The speed of a shared machine changes from second to second. So two drivers take turns, with bursts of tasks
for about a second each. Each is a process of its own, because of two kernels in one process the second is
slower by a twentieth, log or not. Processes differ by chance, too, so there are several pairs of drivers.

The log is written every half second: the processor time that a driver uses after a turn is added to the time
of the turn.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from statistics import geometric_mean, median
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
TURNS = 6
#: The log is written this long after a turn, at the latest (s).
SETTLED_S = 0.8
#: How long a driver may take for anything (s).
LIMIT_S = 60.0


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


class Driver:
    """A process with a kernel of its own. Use it in a ``with`` statement.

    Args:
        has_log: Whether its run has an event log.
        burst: The number of tasks in a burst.
    """

    def __init__(self, has_log: bool, burst: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._ours, theirs = spawning.Pipe()
        self._process = spawning.Process(target=_drive, args=(theirs, has_log, burst))
        self._process.start()
        theirs.close()
        self._answer()  # it is ready

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._process.pid}>"

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *args: object) -> None:
        self._ours.close()
        self._process.join(LIMIT_S)
        self._process.kill()

    def measure(self, what: str) -> float:
        """Measure something: a turn or a trip, in seconds, or the bytes per task in the log of the run."""
        self._ours.send(what)
        return self._answer()

    def _answer(self) -> float:
        if not self._ours.poll(LIMIT_S):
            raise SystemExit(f"the driver {self._process.pid} does not answer")
        answer: float = self._ours.recv()
        return answer


def _drive(ours: Connection, has_log: bool, burst: int) -> None:
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as directory:
        os.chdir(directory)
        config = process_config(WORKERS)
        config.event_log = has_log
        kernel = DataFlowKernel(config)
        app = parsl.python_app(tasks.take, data_flow_kernel=kernel)
        rate(app, range(WARM_UP_TASKS))
        turn_s(app, burst)
        measures = {
            "turn": lambda: turn_s(app, burst),
            "trip": lambda: round_trip_s(app),
            "size": lambda: os.path.getsize(os.path.join(kernel.run_dir, EVENT_LOG)) / kernel.task_count,
        }
        ours.send(0.0)
        try:
            while True:
                ours.send(measures[ours.recv()]())
        except EOFError:  # the end
            kernel.cleanup()


def compare(burst: int, *, is_logged_first: bool) -> Values:
    """Let a driver with a log and one without take turns."""
    turns, trips = [], []
    with Driver(is_logged_first, burst) as first, Driver(not is_logged_first, burst) as second:
        logged, plain = (first, second) if is_logged_first else (second, first)
        for number in range(TURNS):
            order: Sequence[Driver] = (plain, logged) if number % 2 else (logged, plain)
            for what, measured in (("turn", turns), ("trip", trips)):
                taken = {driver: driver.measure(what) for driver in order}
                measured.append(taken[logged] / taken[plain])
        size = logged.measure("size")
    return {"rate_share": 1 / median(turns), "trip_share": median(trips), "bytes_per_task": size}


def measure(options: Options) -> Values:
    """Compare several pairs of drivers, every second one with the log in the driver that starts first."""
    pairs = [compare(options.tasks, is_logged_first=number % 2 == 0) for number in range(options.repeats)]
    return {name: geometric_mean(pair[name] for pair in pairs) for name in pairs[0]}


if __name__ == "__main__":
    main(measure, tasks=5_000, repeats=10)
