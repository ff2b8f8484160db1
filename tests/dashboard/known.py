"""What is known of a run whose log is written by a test."""

from __future__ import annotations

import os
from pathlib import Path

from parsl.common.processes import started_at
from parsl.dashboard.live import Known
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from tests.support.event_logs import BEGAN_S, run_began


def known_of(
    directory: Path,
    *given: records.Record,
    apps: tuple[str, ...] = ("work", "other"),
    is_alive: bool = False,
) -> Known:
    """Return what is known of a run with one executor, two managers of two workers, and these records.

    Its driver is this process, or was lost.
    """
    file = EventFile(str(directory / records.EVENT_LOG))
    pid = os.getpid()
    file.write(run_began(pid=pid, process_started=started_at(pid)) if is_alive else run_began())
    file.write(records.Executors([records.ExecutorFacts("htex", "HighThroughputExecutor", "SlurmProvider")]))
    file.write(records.Apps(list(apps)))
    for node in range(2):
        file.write(records.ManagerJoined(
            0, node, BEGAN_S, f"m{node}", "0", f"n{node}", 1, 2, 4, 64 * 10**9, "3.11"
        ))  # fmt: skip
    for record in given:
        file.write(record)
    file.close()
    known = Known(str(directory))
    known.watch.advance()
    known.dependencies.take(known.history)
    return known


def ran(number: int, start_s: float, end_s: float, **changes: object) -> records.TaskRow:
    """Return a task that ran between two moments, in seconds from the beginning of the run."""
    facts: dict[str, object] = {
        "id": number, "app": 0, "executor": 0, "state": 3, "attempt": 0, "invoked_s": BEGAN_S,
        "launched_s": BEGAN_S + 1.0, "returned_s": BEGAN_S + end_s, "run_s": end_s - start_s,
        "cpu_s": (end_s - start_s) / 2, "peak_memory": 10**9, "manager": 0, "worker": 0,
    }  # fmt: skip
    return records.TaskRow(**{**facts, **changes})  # type: ignore[arg-type]
