"""The functions that the workloads run as tasks.

Importable by every worker, so that all systems send them by name. No imports at module
level: a worker's start must not be charged with ours.
"""

from __future__ import annotations


def noop() -> None:
    """Do nothing."""


def take(number: int) -> None:
    """Take an argument, and do nothing."""


def total(*numbers: int) -> int:
    """Add up the results of many tasks."""
    return sum(numbers)


def link(previous: int) -> int:
    """One link of a chain: depends on the link before it."""
    return previous + 1


def size_of(payload: bytes) -> int:
    """Return the length of the argument."""
    return len(payload)


def run_true() -> int:
    """Start a shell from a Python task, as a bash task in other systems."""
    import subprocess

    return subprocess.run(["/bin/bash", "-c", "true"], check=True).returncode


def meet(directory: str, name: str, count: int, timeout_s: float) -> int:
    """Wait until `count` tasks have entered `directory`, so that many workers are up.

    Returns:
        How many were there at the end; fewer than `count` after `timeout_s` seconds.
    """
    import os
    import time

    open(os.path.join(directory, name), "w").close()
    deadline = time.monotonic() + timeout_s
    present = len(os.listdir(directory))
    while present < count and time.monotonic() < deadline:
        time.sleep(0.005)
        present = len(os.listdir(directory))
    return present


def block_while(path: str, started: str, timeout_s: float) -> None:
    """Occupy a worker for as long as the file `path` exists, at most `timeout_s` seconds."""
    import os
    import time

    open(started, "w").close()
    deadline = time.monotonic() + timeout_s
    while os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.05)
