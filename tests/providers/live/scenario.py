"""What the programs share that tests run inside of a private cluster.

Such a program is a module of functions without arguments, run as a script with the name of one of them, in a
directory of its own. What the function returns is printed as JSON: the facts that a test looks at. Times are
in seconds.
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
    "hearing",
    "keep_busy",
    "run_named",
    "started_at_s",
    "wait_until",
]

#: Shell text for worker_init: notes when the job script begins.
STAMP = 'id=${SLURM_JOB_ID:-${PBS_JOBID:-$JOB_ID}}; date +%s.%N >"started-${id%%.*}"'


def run_named(functions: Mapping[str, Any]) -> None:
    """Run the function named on the command line, and print what it returns."""
    facts = functions[sys.argv[1]]()
    sys.stdout.write(f"{json.dumps(facts)}\n")


def started_at_s(job_id: object) -> float:
    """When the script of a job began; :data:`STAMP` has noted it."""
    note = Path(f"started-{job_id}")
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), 30, f"job {job_id} starts")
    return float(note.read_text())


def elapsed_since_start(job_id: object) -> float:
    """How long ago the script of a job began."""
    return gap_s(started_at_s(job_id))


def gap_s(since_s: float) -> float:
    """How long ago something was, rounded for printing."""
    return round(time.time() - since_s, 3)


class StatusCommands(logging.Handler):
    """Counts the commands that ask about jobs, as a context manager."""

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
    """How many commands ask about jobs in ten seconds, measured for so long."""
    with StatusCommands() as commands:
        time.sleep(seconds)
    return round(commands.count * 10 / seconds, 3)


def keep_busy(executor: Any, app: Callable[[float], Any], blocks: int) -> list[str]:
    """Have there always be tasks until there were so many blocks, and wait for all of the tasks.

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


class Heard:
    """What users are told by warnings, and how soon.

    Args:
        caught: the warnings; more of them may come.
    """

    def __init__(self, caught: list[warnings.WarningMessage]) -> None:
        self._caught = caught
        self._told_s = -1.0

    def wait_until_warned(self, since_s: float) -> None:
        """Wait until there is a first warning, and note how long that took from this moment on."""
        wait_until(lambda: bool(self._caught), 60, "the user is told")
        self._told_s = gap_s(since_s)

    def facts(self) -> dict[str, Any]:
        """The words of all warnings, and how long it took to the first."""
        return {"heard": [str(warning.message) for warning in self._caught], "told_s": self._told_s}


@contextmanager
def hearing() -> Iterator[Heard]:
    """Keep the warnings that users would see."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield Heard(caught)


class Watch:
    """Looks at the queue all the time, in a thread, as a context manager.

    Args:
        count: says how many jobs there are.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: The most jobs that there were at once.
        self.most = 0

    def _run(self) -> None:
        while not self._is_over.wait(0.1):
            try:
                self.most = max(self.most, self._count())
            except subprocess.SubprocessError:
                pass  # the scheduler does not answer: some scenarios want that

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
