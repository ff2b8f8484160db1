"""Storing rows in an SQLite file."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsl.common.mounts import Mount
from parsl.eventlog import records
from parsl.eventlog.file import EventFile, EventReader
from parsl.monitoring.database import sqlite
from parsl.monitoring.database.filling import Filling
from parsl.monitoring.database.sqlite import SqliteStore
from parsl.monitoring.database.store import Store, StoreBusy, StoreError
from tests.monitoring.database.runs import BEGINNING, content, query, write_run
from tests.monitoring.database.schema_of import schema_of
from tests.support.event_logs import BEGAN_S, ended_row, records_of_run, run_began, write_event_log

END = (records.Tasks([ended_row(0)]), records.RunEnded(BEGAN_S + 9, 1, {}))
UPSTREAM = Path(__file__).parent / "upstream_schema.json"


def fill(
    log: Path, store: Store, wait: Callable[[float], bool] = lambda _: True, **options: object
) -> Filling:
    """Store a run that is over, and return what did it."""
    warnings: list[str] = []
    with EventReader(log) as reader:
        filling = Filling(
            reader,
            store,
            resource_interval_s=30.0,
            wait=wait,
            warn=warnings.append,
            **options,  # type: ignore[arg-type]
        )
        filling.run()
    return filling


def test_the_tables_are_those_of_upstream(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "monitoring.db"))
    store.open()
    store.close()
    assert _without_places(schema_of(tmp_path / "monitoring.db")) == _without_places(
        json.loads(UPSTREAM.read_text())
    )


def _without_places(schema: dict[str, Any]) -> dict[str, Any]:
    """Keep which columns are in the key, but not their order: ours has the run first."""
    return {
        name: {**table, "columns": [[*column[:3], bool(column[3])] for column in table["columns"]]}
        for name, table in schema.items()
    }


@pytest.mark.parametrize("table", ["task", "try", "status", "resource", "parsl_attempt"])
def test_queries_about_a_run_or_a_task_read_no_other_rows(tmp_path: Path, table: str) -> None:
    database = tmp_path / "monitoring.db"
    for name in ("first", "second"):
        tasks = [records.Tasks([ended_row(number)]) for number in range(200)]
        written = (run_began(run_id=name), *BEGINNING[1:], *tasks, records.RunEnded(BEGAN_S + 9, 200, {}))
        fill(write_run(tmp_path / name, *written), SqliteStore(str(database)))
    for which in ("run_id = 'first'", "run_id = 'first' AND task_id = 7", "task_id = 7"):
        found = query(database, f'EXPLAIN QUERY PLAN SELECT * FROM "{table}" WHERE {which}')
        assert "SEARCH" in found[0][-1], (which, found)


def test_a_run_is_stored_whole(tmp_path: Path) -> None:
    database = tmp_path / "deep" / "monitoring.db"
    log = write_event_log(tmp_path / "000", 5000, fail_every=100, waiting=3)
    assert fill(log, SqliteStore(str(database))).is_complete
    assert query(database, "SELECT COUNT(*), COUNT(task_time_returned) FROM task") == [(5003, 5000)]
    assert query(database, "SELECT tasks_completed_count, tasks_failed_count FROM workflow") == [(4950, 50)]
    assert query(database, "SELECT COUNT(*) FROM status WHERE task_status_name = 'exec_done'") == [(4950,)]
    assert query(database, "SELECT hostname, active FROM node ORDER BY id") == [
        ("x0", 1),
        ("x1", 1),
        ("x0", 0),
        ("x1", 0),
    ]
    assert query(database, "SELECT COUNT(*) FROM resource") == [(5000,)]
    assert query(database, "SELECT DISTINCT error, message FROM parsl_failure ORDER BY 2")[0] == (
        "builtins.ValueError", "bad input 0",
    )  # fmt: skip
    assert os.listdir(database.parent) == ["monitoring.db"]  # readable for others: no write-ahead log


def test_storing_a_run_again_changes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    log = write_event_log(tmp_path / "000", 300, fail_every=10)
    fill(log, SqliteStore(str(database)))
    before = content(database)
    fill(log, SqliteStore(str(database)))
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DELETE FROM parsl_event_log")  # so that nothing counts as stored
    connection.close()
    fill(log, SqliteStore(str(database)))
    assert content(database) == before


class Flaky(SqliteStore):
    """A store whose process is killed after some transactions."""

    def __init__(self, path: str, transactions: int) -> None:
        super().__init__(path)
        self.left = transactions

    def write(self, rows: dict[str, list[tuple[object, ...]]]) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().write(rows)


@pytest.mark.parametrize("transactions", [0, 1, 2])
def test_another_process_completes_what_a_killed_one_has_begun(tmp_path: Path, transactions: int) -> None:
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    log = write_event_log(tmp_path / "000", 20_000, fail_every=7)
    fill(log, SqliteStore(str(whole)))
    with pytest.raises(KeyboardInterrupt):
        fill(log, Flaky(str(cut), transactions))
    assert fill(log, SqliteStore(str(cut))).is_complete
    assert query(cut, "SELECT COUNT(*) FROM task") == [(20_000,)]
    assert content(cut) == content(whole)


def test_two_runs_share_a_file(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    for name in ("first", "second"):
        fill(write_run(tmp_path / name, run_began(run_id=name), *END), SqliteStore(str(database)))
    found = query(database, "SELECT run_id, tasks_completed_count FROM workflow ORDER BY run_id")
    assert found == [("first", 1), ("second", 1)]


def test_a_reader_does_not_delay_the_writer(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    store = SqliteStore(str(database))
    store.open()
    reader = sqlite3.connect(database)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM task").fetchone() == (0,)
    fill(write_event_log(tmp_path / "000", 100), SqliteStore(str(database), busy_s=0.0))
    assert reader.execute("SELECT COUNT(*) FROM task").fetchone() == (0,)
    reader.execute("COMMIT")
    assert reader.execute("SELECT COUNT(*) FROM task").fetchone() == (100,)
    reader.close()
    store.close()


def test_a_lock_only_delays_the_rows(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waits: list[float] = []

    def wait(pause_s: float) -> bool:
        waits.append(pause_s)
        if len(waits) == 5:
            other.execute("ROLLBACK")
        return True

    log = write_event_log(tmp_path / "000", 50)
    assert fill(log, SqliteStore(str(database), busy_s=0.0), wait).is_complete
    assert len(waits) >= 5
    assert query(database, "SELECT COUNT(*) FROM task") == [(50,)]
    other.close()


def test_a_lock_that_never_ends_is_an_error_with_advice(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    log = write_event_log(tmp_path / "000", 5)
    with pytest.raises(StoreError, match=r"database is locked.*parsl monitoring RUN_DIR"):
        fill(log, SqliteStore(str(database), busy_s=0.0), patience_s=0.1)
    other.close()


def test_a_full_disk_stores_nothing_of_a_transaction_and_may_pass(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    store = SqliteStore(str(database))
    store.open()
    rows = {"workflow": [(f"run {n}", "n" * 9999, "", "", None, "", "", "", 0, 0) for n in range(50)]}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(StoreBusy, match="disk"):
            store.write(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert query(database, "SELECT COUNT(*) FROM workflow") == [(0,)]
    store.write(rows)
    store.close()
    assert query(database, "SELECT COUNT(*) FROM workflow") == [(50,)]


def test_a_database_of_another_schema_is_refused_and_not_changed(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE task (task_id INTEGER, run_id TEXT, elapsed FLOAT NOT NULL)")
    connection.close()
    with pytest.raises(
        StoreError, match=r"another schema.*no column task\.task_depends.*more differences.*Rename"
    ):
        SqliteStore(str(database)).open()
    assert query(database, "SELECT name FROM sqlite_master") == [("task",)]


def test_a_database_that_upstream_has_made_is_filled_on(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    connection = sqlite3.connect(database)
    for name, table in json.loads(UPSTREAM.read_text()).items():
        lines = [
            f'"{column}" {kind}{" NOT NULL" if needs else ""}' for column, kind, needs, _ in table["columns"]
        ]
        keys = sorted((place, column) for column, _, _, place in table["columns"] if place)
        lines.append(f"PRIMARY KEY ({', '.join(column for _, column in keys)})")
        connection.execute(f'CREATE TABLE "{name}" ({", ".join(lines)})')
    connection.close()
    fill(write_event_log(tmp_path / "000", 10), SqliteStore(str(database)))
    assert query(database, "SELECT COUNT(*) FROM task") == [(10,)]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "monitoring.db").write_text("some notes, longer than a header of a database has to be" * 20)
    with pytest.raises(StoreError, match=r"cannot be used: file is not a database"):
        SqliteStore(str(tmp_path / "monitoring.db")).open()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="its directory cannot be made"):
        SqliteStore(str(tmp_path / "file" / "monitoring.db")).open()


def test_on_a_network_file_system_there_is_no_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "read_mounts", lambda: [Mount("/", "nfs4")])
    store = SqliteStore(str(tmp_path / "monitoring.db"))
    store.open()
    assert query(tmp_path / "monitoring.db", "PRAGMA journal_mode") == [("delete",)]
    store.close()


def test_a_growing_log_is_followed_to_its_end(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    (tmp_path / "000").mkdir()
    file = EventFile(str(tmp_path / "000" / records.EVENT_LOG))
    waiting = list(records_of_run(1000))
    for record in waiting[:5]:
        file.write(record)
    rest = iter(waiting[5:])

    def wait(_: float) -> bool:
        if (record := next(rest, None)) is not None:
            file.write(record)
        return False

    assert fill(tmp_path / "000", SqliteStore(str(database)), wait).is_complete
    file.close()
    assert query(database, "SELECT COUNT(*) FROM task") == [(1000,)]
