"""Frames about a recorded run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.event_logs import run_began, write_database

pytest.importorskip("pandas")
RUN = run_began().run_id
#: The columns that upstream's functions of the same names return.
COLUMNS = {
    "app_counts_for_workflow": ["task_func_name", "frequency"],
    "completion_times_for_workflow": ["task_id", "task_func_name", "task_time_returned"],
    "status_for_workflow": ["run_id", "task_id", "task_status_name", "timestamp"],
    "tries_for_workflow": [
        "task_id", "task_func_name", "task_time_returned", "task_try_time_running", "task_try_time_returned",
    ],
}  # fmt: skip
LENGTHS = {
    "app_counts_for_workflow": 3, "completion_times_for_workflow": 30, "failures_for_workflow": 3,
    "nodes_for_workflow": 4, "resources_for_workflow": 30, "status_for_workflow": 150,
    "tasks_for_workflow": 30, "tries_for_workflow": 30,
}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("name", LENGTHS)
def test_a_frame_has_the_columns_of_upstream(database: Path, name: str) -> None:
    from parsl.monitoring.queries import pandas as queries

    with closing(sqlite3.connect(database)) as connection:
        frame = getattr(queries, name)(RUN, connection)
    assert len(frame) == LENGTHS[name]
    assert list(frame.columns) == COLUMNS.get(name, list(frame.columns))
    assert getattr(queries, name)(RUN, database).equals(frame)


def test_an_engine_of_sqlalchemy_is_a_database(database: Path) -> None:
    from sqlalchemy import create_engine

    from parsl.monitoring.queries.pandas import resources_for_task

    engine = create_engine(f"sqlite:///{database}")
    assert resources_for_task(RUN, 7, engine)["psutil_process_time_user"].tolist() == [0.3]
    engine.dispose()


def test_a_database_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    from parsl.monitoring.queries.pandas import tasks_for_workflow

    with pytest.raises(FileNotFoundError, match="there is no database"):
        tasks_for_workflow(RUN, tmp_path / "nothing.db")
    assert not (tmp_path / "nothing.db").exists()


def test_what_is_no_database_is_refused() -> None:
    from parsl.monitoring.queries.pandas import tasks_for_workflow

    with pytest.raises(TypeError, match=r"db is None; expected a connection"):
        tasks_for_workflow("x", None)
