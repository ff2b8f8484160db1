"""What the programs share that tests run inside of a private cluster.

Such a program is a module of functions without arguments, run as a script with the name of one of them, in a
directory of its own. What the function returns is printed as JSON: the facts that a test looks at. Times are
in seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.private_machine import wait_for

__all__ = [
    "STAMP",
    "Watch",
    "elapsed_since_start",
    "gap_s",
    "hearing",
    "run_named",
    "started_at_s",
    "wait_for",
]

#: Shell text for worker_init: notes when the job script begins.
STAMP = 'date +%s.%N >"started-${SLURM_JOB_ID:-$JOB_ID}"'


def run_named(functions: Mapping[str, Any]) -> None:
    """Run the function named on the command line, and print what it returns."""
    facts = functions[sys.argv[1]]()
    sys.stdout.write(f"{json.dumps(facts)}\n")


def started_at_s(job_id: object) -> float:
    """When the script of a job began; :data:`STAMP` has noted it."""
    note = Path(f"started-{job_id}")
    wait_for(lambda: note.exists() and note.read_text().endswith("\n"), f"job {job_id} starts", 30)
    return float(note.read_text())


def elapsed_since_start(job_id: object) -> float:
    """How long ago the script of a job began."""
    return gap_s(started_at_s(job_id))


def gap_s(since_s: float) -> float:
    """How long ago something was, rounded for printing."""
    return round(time.time() - since_s, 3)


@contextmanager
def hearing() -> Iterator[list[warnings.WarningMessage]]:
    """Keep the warnings that users would see, in a list."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield heard


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
