"""A script of four tasks with MonitoringHub, from its start to its end, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.workloads.harness import Options, Values, main


def measure(options: Options) -> Values:
    """One run; the compiled files of the modules are there from the suite's preparation."""
    os.mkdir("probe")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "benchmarks.probes.monitored_run"], cwd="probe", check=True)
    return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    main(measure)
