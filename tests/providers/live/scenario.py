"""Shared parts of the programs that tests run inside a private cluster.

Such a program is a module of functions without arguments. It runs as a script in its own directory, with the
name of one function as its argument, and prints the function's result as JSON: the facts that a test checks.
Times are in seconds.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

__all__ = [
    "STAMP",
    "StatusCommands",
    "Watch",
    "commands_per_10s",
    "elapsed_since_start",
    "gap_s",
    "record_warnings",
    "keep_busy",
    "run_named",
    "started_at_s",
    "wait_until",
]

#: Shell text for worker_init that records the start of the job script.
STAMP = 'id=${SLURM_JOB_ID:-${PBS_JOBID:-$JOB_ID}}; date +%s.%N >"started-${id%%.*}"'


def run_named(functions: Mapping[str, Any]) -> None:
    """Run the function named on the command line, and print its result."""
    facts = functions[sys.argv[1]]()
    sys.stdout.write(f"{json.dumps(facts)}\n")


def started_at_s(job_id: object) -> float:
    """The start of a job's script, as recorded by :data:`STAMP`."""
    note = Path(f"started-{job_id}")
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), 30, f"job {job_id} starts")
    return float(note.read_text())


def elapsed_since_start(job_id: object) -> float:
    """The seconds since the start of a job's script."""
    return gap_s(started_at_s(job_id))


def gap_s(since_s: float) -> float:
    """The seconds since a moment, rounded for printing."""
    return round(time.time() - since_s, 3)


class StatusCommands(logging.Handler):
    """A context manager that counts the commands that query jobs."""

    _PROGRAMS = ("squeue", "sacct", "scontrol", "qstat", "qacct", "qalter")

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0
        self._logger = logging.getLogger("parsl.providers.batch.scheduler")

    def emit(self, record: logging.LogRecord) -> None:
        command = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(command, list) and command[0] in self._PROGRAMS:
            self.count += 1

    def __enter__(self) -> StatusCommands:
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


def commands_per_10s(seconds: float = 60.0) -> float:
    """The mean number of status commands in ten seconds, measured over ``seconds``."""
    with StatusCommands() as commands:
        time.sleep(seconds)
    return round(commands.count * 10 / seconds, 3)


def keep_busy(executor: Any, app: Callable[[float], Any], blocks: int) -> list[str]:
    """Submit tasks until there have been ``blocks`` blocks, and wait for all of the tasks.

    Returns:
        The states of the blocks' jobs.
    """
    tasks: list[Any] = []
    until_s = time.monotonic() + 90
    while len(executor.blocks_to_job_id) < blocks:
        assert time.monotonic() < until_s, executor.status_facade
        tasks += [app(0.1) for _ in range(2)]
        tasks[-2].result(timeout=30)
    for task in tasks:
        task.result(timeout=30)
    return [status.state.name for status in executor.status().values()]


class ShownWarnings:
    """The warnings that users see, and the time to the first one.

    Args:
        caught: The list of warnings, which may still grow.
    """

    def __init__(self, caught: list[warnings.WarningMessage]) -> None:
        self._caught = caught
        self._reported_s = -1.0

    def wait_until_warned(self, since_s: float) -> None:
        """Wait for the first warning, and record the time since ``since_s``."""
        wait_until(lambda: bool(self._caught), 60, "a warning")
        self._reported_s = gap_s(since_s)

    def facts(self) -> dict[str, Any]:
        """The text of all warnings, and the time to the first one."""
        return {
            "warnings": [str(warning.message) for warning in self._caught],
            "reported_s": self._reported_s,
        }


@contextmanager
def record_warnings() -> Iterator[ShownWarnings]:
    """Record the warnings that users would see."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield ShownWarnings(caught)


class Watch:
    """A context manager that counts the jobs in the queue continuously, in a thread.

    Args:
        count: Returns the number of jobs.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: The maximum number of simultaneous jobs.
        self.most = 0

    def _run(self) -> None:
        while not self._is_over.wait(0.1):
            try:
                self.most = max(self.most, self._count())
            except subprocess.SubprocessError:
                pass  # some scenarios have a scheduler that does not answer

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
