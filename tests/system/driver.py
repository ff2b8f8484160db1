"""Drivers in processes of their own: scripts that tests kill, interrupt or start in unusual ways."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCES = Path(__file__).parents[2] / "src"

#: The beginning of every script.
PREAMBLE = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests under nohup ignore it, and the script would inherit that
import parsl
from parsl import Config, HighThroughputExecutor, bash_app, python_app
from parsl.providers import LocalProvider

def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def make_config(label="htex", run_dir="r", retries=0, over_tcp=False, **options):
    if over_tcp:
        from parsl.executors.high_throughput.driver import endpoints
        endpoints.listen_unix = lambda log_dir: None
    options.setdefault("provider", LocalProvider())
    executor = HighThroughputExecutor(label=label, max_workers_per_node=2, cores_per_worker=0.1, **options)
    return Config(executors=[executor], run_dir=os.path.abspath(run_dir), retries=retries)
"""


class Driver:
    """A script that runs in its own directory.

    Args:
        directory: The working directory, which gets all files of the run.
        body: The script after the preamble.
        command: The command that runs the script, given as its last argument; by default this Python.
    """

    def __init__(
        self, directory: Path, body: str, command: Sequence[str] | None = None, **options: Any
    ) -> None:
        self.directory = directory
        script = directory / "script.py"
        script.write_text(PREAMBLE + textwrap.dedent(body))
        self._out = (directory / "out").open("wb")
        options.setdefault("env", {**os.environ, "PYTHONPATH": str(SOURCES)})
        self.process = subprocess.Popen(
            [*(command or [sys.executable]), str(script)],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            **options,
        )

    def __repr__(self) -> str:
        return f"<Driver {self.process.pid} exit={self.process.poll()}>"

    @property
    def output(self) -> str:
        return (self.directory / "out").read_text()

    def wait(self, timeout_s: float = 100.0) -> int:
        """Wait for the driver's end; return its exit code, negative for a signal."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The driver still runs after {timeout_s} s:\n{self.output}") from None
        finally:
            self._out.close()

    def family(self) -> list[psutil.Process]:
        """The living processes that the driver started, recognized by their working directory."""
        return [process for process in processes_in(self.directory) if process.pid != self.process.pid]

    def spools(self) -> list[str]:
        """The driver's directories for large payloads."""
        return configured_paths(self.directory, "spool")

    def sockets(self) -> list[str]:
        """The driver's unix sockets."""
        return configured_paths(self.directory, "local_socket")

    def kill_family(self) -> None:
        """End the processes that a failed test has left."""
        for process in [*self.family(), self.process]:
            try:
                process.kill()
            except (psutil.Error, OSError):
                continue
        self.process.wait()
        self._out.close()


def processes_in(directory: Path) -> list[psutil.Process]:
    """The living processes with a working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def configured_paths(directory: Path, setting: str) -> list[str]:
    """The values of a path in the managers' settings of the runs in a directory.

    Settings files that a kill has truncated are read, too.
    """
    found: list[str] = []
    for path in directory.glob(f"r*/**/{SETTINGS_FILE}"):
        found += re.findall(rf'"{setting}": "(/[^"]+)"', path.read_text())
    return found


def all_gone(driver: Driver) -> Callable[[], bool]:
    """Return a condition: no process and no spool of a driver remains."""
    return lambda: not driver.family() and not any(map(os.path.exists, driver.spools()))
