"""What the workloads share: options, warm-up, measuring memory, printing the result."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import tasks
from benchmarks.pools import WORKERS, open_pool
from benchmarks.pools.base import Pool

#: Tasks run before the clock is started.
WARM_UP_TASKS = 500

#: Seconds in which all workers must start during the warm-up.
MEET_TIMEOUT_S = 10.0

Options = argparse.Namespace
Values = dict[str, float]


def main(measure: Callable[[Options], Values], **defaults: Any) -> None:
    """Parse the options, measure, print ``{"values": ...}`` as the last line.

    Args:
        measure: does the work.
        defaults: options of this workload beyond ``--system``, with their defaults.
    """
    # The launcher ends what takes too long with SIGABRT: then every thread prints its stack.
    faulthandler.enable()
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True)
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    values = measure(parser.parse_args())
    print(json.dumps({"values": values}), flush=True)
    sys.stderr.flush()


def open_warm(options: Options, executor: str = "processes") -> Pool:
    """Open the pool and run tasks until every worker has shown up and the paths are warm."""
    pool = open_pool(options.system, executor)
    pool.result(pool.submit(tasks.noop))
    os.mkdir("meeting")
    meeting = os.path.abspath("meeting")
    pool.results(
        [pool.submit(tasks.meet, meeting, str(number), WORKERS, MEET_TIMEOUT_S) for number in range(WORKERS)]
    )
    run_noops(pool, WARM_UP_TASKS)
    return pool


def rate(app: Callable[[int], Any], numbers: Iterable[int]) -> float:
    """Call an app with each number, wait for all; tasks per second."""
    started = time.perf_counter()
    futures = [app(number) for number in numbers]
    for future in futures:
        future.result()
    return len(futures) / (time.perf_counter() - started)


def run_noops(pool: Pool, count: int) -> float:
    """Submit `count` no-op tasks, wait for all.

    Returns:
        Seconds from the first submit to the last result.
    """
    noop = tasks.noop
    started = time.perf_counter()
    pool.results([pool.submit(noop) for _ in range(count)])
    return time.perf_counter() - started


def resident_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def settled_resident_bytes(timeout_s: float = 15.0, quiet_s: float = 0.5) -> int:
    """Resident memory once it has stayed within 1 % for `quiet_s` seconds."""
    deadline = time.monotonic() + timeout_s
    level, since = resident_bytes(), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < quiet_s:
        time.sleep(0.05)
        now = resident_bytes()
        if abs(now - level) > 0.01 * level:
            level, since = now, time.monotonic()
    return resident_bytes()
