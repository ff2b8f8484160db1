"""The database as mapped classes of SQLAlchemy, for programs that import upstream's ``db_manager``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from parsl.errors import ConfigurationError
from parsl.monitoring.database.endpoint import store_for
from parsl.monitoring.database.filling import Filling
from parsl.monitoring.database.store import StoreError
from tests.monitoring.database.runs import query
from tests.support.event_logs import write_event_log

sqlalchemy = pytest.importorskip("sqlalchemy")

from parsl.eventlog.file import EventReader  # noqa: E402
from parsl.monitoring import db_manager  # noqa: E402
from parsl.monitoring.db_manager import STATUS, WORKFLOW, Database  # noqa: E402

BEGAN = datetime(2026, 11, 29, 10, 0, 0, 250_000)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/monitoring.db")


def workflow(run_id: str, **more: Any) -> dict[str, Any]:
    needed = {"time_began": BEGAN, "host": "x0", "user": "ada", "rundir": "/r"}
    return {"run_id": run_id, **needed, "tasks_failed_count": 0, "tasks_completed_count": 0, **more}


def test_tasks_of_a_recorded_run_are_found_by_a_query(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/monitoring.db"
    with EventReader(write_event_log(tmp_path / "000", 30)) as reader:
        Filling(reader, store_for(url), resource_interval_s=None, wait=lambda _: True, warn=pytest.fail).run()
    task = Database.Task
    with Database(url).eng.begin() as connection:
        found = connection.execute(
            sqlalchemy.select(task.task_id, task.task_time_invoked).order_by(task.task_id)
        )
        numbers, moments = zip(*found, strict=True)
    assert numbers == tuple(range(len(numbers)))
    assert all(isinstance(moment, datetime) for moment in moments)


def test_rows_of_a_programs_own_are_stored_in_upstreams_text_format(
    database: Database, tmp_path: Path
) -> None:
    database.insert(table=WORKFLOW, messages=[workflow("r1", weight=3), workflow("r2", time_completed=BEGAN)])
    found = query(tmp_path / "monitoring.db", "SELECT run_id, time_began, time_completed FROM workflow")
    moment = "2026-11-29 10:00:00.250000"
    assert found == [("r1", moment, None), ("r2", moment, moment)]


def test_an_update_changes_the_given_columns_of_one_row(database: Database, tmp_path: Path) -> None:
    database.insert(table=WORKFLOW, messages=[workflow("r1"), workflow("r2")])
    news = {"run_id": "r2", "tasks_failed_count": 5, "host": "x9", "unknown": 1}
    database.update(table=WORKFLOW, columns=["run_id", "tasks_failed_count", "unknown"], messages=[news])
    found = query(tmp_path / "monitoring.db", "SELECT run_id, tasks_failed_count, host FROM workflow")
    assert found == [("r1", 0, "x0"), ("r2", 5, "x0")]


def test_either_all_rows_are_stored_or_none(database: Database, tmp_path: Path) -> None:
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        database.insert(table=WORKFLOW, messages=[workflow("r1"), workflow("r1")])
    database.rollback()
    assert query(tmp_path / "monitoring.db", "SELECT * FROM workflow") == []


def test_nothing_is_stored_for_no_rows(database: Database, tmp_path: Path) -> None:
    database.insert(table=STATUS, messages=[])
    database.update(table=STATUS, columns=["try_id"], messages=[])
    assert query(tmp_path / "monitoring.db", "SELECT * FROM status") == []


def test_an_unknown_table_is_refused_with_the_known_ones(database: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"no table 'files'; it has block, node, resource, status"):
        database.insert(table="files", messages=[])


def test_a_database_that_is_none_is_refused() -> None:
    with pytest.raises(StoreError, match="expected sqlite:///PATH"):
        Database("mysql://host/x")


@pytest.mark.parametrize(
    ("name", "options"),
    [("DatabaseManager", {"db_url": "sqlite:///x.db"}), ("dbm_starter", {"resource_msgs": None})],
)
def test_the_writer_of_upstream_names_what_to_use_instead(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} .*MonitoringHub.*parsl monitoring RUN"):
        getattr(db_manager, name)(**options)
