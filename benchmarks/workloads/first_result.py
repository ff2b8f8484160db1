"""From starting an interpreter to the first result, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.workloads.harness import Options, Values, main


def first_result_s(system: str) -> float:
    """Start a fresh interpreter that imports, loads and runs one task; time its first line."""
    command = [sys.executable, "-m", "benchmarks.probes.first_result", system]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
        assert probe.stdout is not None
        elapsed_s = None
        for line in probe.stdout:
            if line.strip() == "first result" and elapsed_s is None:
                elapsed_s = time.perf_counter() - started
    if elapsed_s is None or probe.returncode != 0:
        raise SystemExit(f"the probe ended with {probe.returncode}, first result: {elapsed_s}")
    return elapsed_s


def measure(options: Options) -> Values:
    """One start; the compiled files of the modules are there from the run's warming up."""
    os.mkdir("probe")
    os.chdir("probe")
    return {"seconds": first_result_s(options.system)}


if __name__ == "__main__":
    main(measure)
