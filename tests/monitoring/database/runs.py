"""Small runs, record by record, and their rows by column."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.monitoring.database import schema
from parsl.monitoring.database.rows import RunRows
from tests.support.event_logs import BEGAN_S, run_began

THREADS = records.ExecutorFacts("threads", "ThreadPoolExecutor")
HTEX = records.ExecutorFacts("htex", "HighThroughputExecutor", "LocalProvider")
BEGINNING: tuple[records.Record, ...] = (
    run_began(),
    records.Executors([HTEX, THREADS]),
    records.Apps(["simulate", "analyse"]),
    records.ManagerJoined(0, 0, BEGAN_S, "manager-0", "b0", "x0", 100, 4, 104, 2**39, "3.11.7", ["0", "1"]),
)


def rows_after(*more: records.Record, interval_s: float | None = 30.0) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a run with these records, as dictionaries, by table."""
    rows = RunRows(interval_s)
    for record in (*BEGINNING, *more):
        rows.take(record)
    collected = rows.collect()
    return {table.name: named(table, collected.get(table.name, [])) for table in schema.TABLES}


def named(table: schema.Table, rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    names = table.column_names[1:] if table is schema.NODE else table.column_names
    return [dict(zip(names, row, strict=True)) for row in rows]


def states(rows: dict[str, list[dict[str, Any]]], task: int = 0) -> list[tuple[str, int]]:
    """Return the states of a task in the order of their moments, with the numbers of tries."""
    found = {tuple(row.values()): row for row in rows["status"] if row["task_id"] == task}.values()
    assert len({row["timestamp"] for row in found}) == len(found)
    return [(row["task_status_name"], row["try_id"]) for row in sorted(found, key=_timestamp)]


def _timestamp(row: dict[str, Any]) -> str:
    return str(row["timestamp"])


def write_run(directory: Path, *written: records.Record) -> Path:
    """Write an event log with these records, and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    file = EventFile(str(directory / records.EVENT_LOG))
    for record in written:
        assert file.write(record)
    file.close()
    return directory


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in an SQLite file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables in an order, without how far each run is stored."""
    names = [name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    names = [name for name in names if name != "parsl_event_log" and not name.startswith("sqlite_")]
    return {name: sorted(query(path, f'SELECT * FROM "{name}"'), key=str) for name in names}
