"""Event logs of runs that never were, for tests of what reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.vocabulary.task_states import States

BEGAN_S = 1_700_000_000.0


def run_began(run_dir: str = "/runs/000", **changes: Any) -> records.RunBegan:
    facts: dict[str, Any] = {
        "format_version": records.FORMAT_VERSION,
        "run_id": "6a2f41a3-c54c-4d43-8a0e-5c1f3c1f9d3e",
        "began_s": BEGAN_S,
        "run_dir": run_dir,
        "workflow_name": "train.py",
        "workflow_version": "2023-11-14 22:00:00",
        "host": os.uname().nodename,
        "user": "ada",
        "pid": 2**22 + 1,  # of no process
        "process_started": 1.0,
        "python_version": "3.11.7",
        "parsl_version": "2026.11.29",
        "command": ["python", "train.py"],
    }
    return records.RunBegan(**{**facts, **changes})


def ended_row(number: int, app: int = 0, state: States = States.exec_done, **changes: Any) -> records.TaskRow:
    invoked_s = BEGAN_S + number * 0.001
    facts: dict[str, Any] = {
        "id": number, "app": app, "executor": 0, "state": int(state), "attempt": 0,
        "invoked_s": invoked_s, "launched_s": invoked_s + 0.0001, "returned_s": invoked_s + 0.5,
        "run_s": 0.4, "cpu_s": 0.3, "peak_memory": 50_000_000, "manager": number % 2, "worker": number % 4,
    }  # fmt: skip
    return records.TaskRow(**{**facts, **changes})


def records_of_run(
    tasks: int,
    *,
    apps: int = 3,
    fail_every: int = 0,
    waiting: int = 0,
    is_over: bool = True,
    batch: int = 2000,
) -> Iterator[records.Record]:
    """Yield the records of a run on two nodes of one block.

    Args:
        tasks: How many tasks have ended.
        apps: How many apps take turns.
        fail_every: Every such task fails; 0 for none.
        waiting: How many tasks wait for their dependency, task 0.
        is_over: Whether the run has ended.
        batch: How many rows a record contains.
    """
    yield run_began()
    yield records.Executors([records.ExecutorFacts("htex", "HighThroughputExecutor", "PBSProProvider")])
    yield records.Apps([f"app_{number}" for number in range(apps)])
    yield records.BlockChanged(0, BEGAN_S + 0.01, "0", "4711", "PENDING", "Not Running: no node is free")
    yield records.BlockChanged(0, BEGAN_S + 0.02, "0", "4711", "RUNNING")
    for node in range(2):
        name = f"manager-{node}"
        yield records.ManagerJoined(
            0, node, BEGAN_S + 0.03, name, "0", f"x{node}", 100, 4, 104, 2**39, "3.11", ["0", "1"]
        )
    ended = {(app, int(state)): 0 for app in range(apps) for state in (States.exec_done, States.failed)}
    for start in range(0, tasks, batch):
        rows = []
        for number in range(start, min(start + batch, tasks)):
            fails = bool(fail_every) and number % fail_every == fail_every - 1
            row = ended_row(number, number % apps, States.failed if fails else States.exec_done)
            ended[row.app, row.state] += 1
            rows.append(row)
            if fails:
                yield _failure(row)
        yield records.Tasks(rows)
        yield _summary(rows[-1].returned_s or 0.0, start + len(rows), ended, apps)
    first = tasks
    yield records.Tasks([
        records.TaskRow(first + n, n % apps, 0, int(States.pending), 0, BEGAN_S + first * 0.001, None, (0,))
        for n in range(waiting)
    ])  # fmt: skip
    if is_over:
        failed = sum(number for (_, state), number in ended.items() if state == States.failed)
        states = {"exec_done": tasks - failed, "failed": failed}
        yield records.RunEnded(BEGAN_S + tasks * 0.001 + 1, tasks + waiting, states)


def _failure(row: records.TaskRow) -> records.AttemptFailed:
    return records.AttemptFailed(
        row.id, 0, 0, row.returned_s or 0.0, "failed", "builtins.ValueError", f"bad input {row.id % 3}",
        row.launched_s, row.run_s, row.manager, row.worker, f"x{row.manager}", None, row.app,
    )  # fmt: skip


def _summary(now_s: float, count: int, ended: dict[tuple[int, int], int], apps: int) -> records.Summary:
    counts = [(app, state, number) for (app, state), number in ended.items() if number]
    return records.Summary(now_s, count, counts, [f"app_{number}" for number in range(apps)])


def write_database(directory: Path) -> Path:
    """Record such a run of 30 tasks, of which 3 fail, in a database, and return its path."""
    from parsl.cli.main import main

    write_event_log(directory / "000", 30, fail_every=10)
    assert main(["monitoring", "0", "--run-dir", str(directory)]) == 0
    return directory / "monitoring.db"


def write_event_log(directory: Path, tasks: int, **options: Any) -> Path:
    """Write the event log of such a run into a directory, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    file = EventFile(str(directory / records.EVENT_LOG))
    for record in records_of_run(tasks, **options):
        assert file.write(record)
    file.close()
    return directory / records.EVENT_LOG
