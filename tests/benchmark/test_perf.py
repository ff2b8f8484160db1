from __future__ import annotations

import subprocess
import sys


def test_the_path_of_upstream_runs_the_command() -> None:
    command = [sys.executable, "-m", "parsl.benchmark.perf", "--help"]
    assert "--config" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
