"""Time and memory of importing, each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.stats import median
from benchmarks.workloads.harness import Options, Values, main

#: What ``import`` means for each system.
PACKAGES = {
    "ours": "import parsl",
    "upstream": "import parsl",
    "stdlib": "import concurrent.futures.process",
    "loky": "import loky",
    "dask": "import dask.distributed",
    "ray": "import ray",
}

#: The imports of an ordinary script. They load what a lazy package puts off.
SCRIPT = """\
from parsl import bash_app, python_app
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider
"""

#: What runs tasks on a node: our workers are forked by the fork server, upstream's by its pool.
WORKERS = {
    "ours": (
        "import parsl.executors.high_throughput.worker.fork_server\n"
        "import parsl.executors.high_throughput.worker.worker"
    ),
    "upstream": "import parsl.executors.high_throughput.process_worker_pool",
}

PROBE = """\
import time
started = time.perf_counter()
{statements}
elapsed_s = time.perf_counter() - started
pages = int(open("/proc/self/statm").read().split()[1])
import os
print(elapsed_s, pages * os.sysconf("SC_PAGE_SIZE"))
"""


def probe(statements: str) -> tuple[float, float]:
    """Import in a fresh interpreter.

    Returns:
        Seconds of the import, and resident bytes of the process after it.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statements=statements)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, resident = done.stdout.split()[-2:]
    return float(seconds), float(resident)


def probe_often(statements: str, repeats: int) -> tuple[float, float]:
    """The median of several probes, after one that writes the compiled files."""
    probe(statements)
    samples = [probe(statements) for _ in range(repeats)]
    return median([sample[0] for sample in samples]), median([sample[1] for sample in samples])


def measure(options: Options) -> Values:
    """The package, and for Parsl a script's imports and the worker's module."""
    system, repeats = options.system, options.repeats
    seconds, resident = probe_often(PACKAGES[system], repeats)
    values = {"package_ms": seconds * 1e3, "package_mb": resident / 1e6}
    if system in WORKERS:
        for name, statements in (("script", SCRIPT), ("worker", WORKERS[system])):
            seconds, resident = probe_often(statements, repeats)
            values |= {f"{name}_ms": seconds * 1e3, f"{name}_mb": resident / 1e6}
    return values


if __name__ == "__main__":
    main(measure, repeats=5)
