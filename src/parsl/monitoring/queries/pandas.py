"""Frames about a recorded run, for notebooks: the extra ``parsl[monitoring]``.

Each function takes the run's ``run_id``, and the database: a connection of ``sqlite3`` or SQLAlchemy, an
engine of SQLAlchemy, or the path of an SQLite file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from parsl.errors import OptionalModuleMissing

try:
    import pandas
except ImportError as error:
    raise OptionalModuleMissing(["pandas"], "frames about runs: pip install 'parsl[monitoring]'") from error

if TYPE_CHECKING:
    from pandas import DataFrame


def app_counts_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return how many tasks each app has: ``task_func_name``, ``frequency``."""
    return _read(
        "SELECT task_func_name, COUNT(*) AS frequency FROM task WHERE run_id = {0} "
        "GROUP BY task_func_name ORDER BY frequency DESC, task_func_name",
        db,
        workflow_id,
    )


def completion_times_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return when tasks have ended: ``task_id``, ``task_func_name``, ``task_time_returned``."""
    return _read(
        "SELECT task_id, task_func_name, task_time_returned FROM task WHERE run_id = {0} ORDER BY task_id",
        db,
        workflow_id,
    )


def failures_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return why attempts have failed: the table ``parsl_failure`` with the name of the app."""
    return _read(
        "SELECT task.task_func_name, parsl_failure.* FROM parsl_failure JOIN task "
        "ON task.run_id = parsl_failure.run_id AND task.task_id = parsl_failure.task_id "
        "WHERE parsl_failure.run_id = {0} ORDER BY parsl_failure.timestamp",
        db,
        workflow_id,
    )


def nodes_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return the table ``node``: each manager, when it has joined and when it has left."""
    return _read("SELECT * FROM node WHERE run_id = {0} ORDER BY timestamp, id", db, workflow_id)


def resources_for_task(workflow_id: Any, task_id: Any, db: Any) -> DataFrame:
    """Return the resource samples of one task, in order."""
    query = "SELECT * FROM resource WHERE run_id = {0} AND task_id = {1} ORDER BY timestamp"
    return _read(query, db, workflow_id, int(task_id))


def resources_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return the resource samples of all tasks, in order."""
    return _read("SELECT * FROM resource WHERE run_id = {0} ORDER BY timestamp", db, workflow_id)


def status_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return the states of tasks in order: ``run_id``, ``task_id``, ``task_status_name``, ``timestamp``."""
    return _read(
        "SELECT run_id, task_id, task_status_name, timestamp FROM status WHERE run_id = {0} "
        "ORDER BY task_id, timestamp",
        db,
        workflow_id,
    )


def tasks_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return the table ``task``."""
    return _read("SELECT * FROM task WHERE run_id = {0} ORDER BY task_id", db, workflow_id)


def tries_for_workflow(workflow_id: Any, db: Any) -> DataFrame:
    """Return when attempts have begun and ended, with the name of the app and the end of the task."""
    return _read(
        "SELECT task.task_id, task.task_func_name, task.task_time_returned, try.task_try_time_running, "
        "try.task_try_time_returned FROM task JOIN try ON task.run_id = try.run_id "
        "AND task.task_id = try.task_id WHERE task.run_id = {0} ORDER BY task.task_id, try.try_id",
        db,
        workflow_id,
    )


def _read(query: str, db: Any, *values: Any) -> DataFrame:
    """Run a query, with ``{0}`` for the first value."""
    if isinstance(db, (str, os.PathLike)):
        return _read_file(query, os.fspath(db), *values)
    if isinstance(db, sqlite3.Connection):
        return pandas.read_sql_query(query.format(*"?" * len(values)), db, params=values)
    if not (hasattr(db, "connect") or hasattr(db, "execute")):
        raise TypeError(
            f"db is {db!r}; expected a connection of sqlite3 or SQLAlchemy, an engine, or the path of an "
            "SQLite file, such as 'runinfo/monitoring.db'"
        )
    from sqlalchemy import text

    names = [f"value_{place}" for place in range(len(values))]
    statement = text(query.format(*(f":{name}" for name in names)))
    return pandas.read_sql_query(statement, db, params=dict(zip(names, values, strict=True)))


def _read_file(query: str, path: str, *values: Any) -> DataFrame:
    if not os.path.exists(path):  # SQLite would create it
        raise FileNotFoundError(
            f"there is no database {path!r}; MonitoringHub or `parsl monitoring` makes one"
        )
    with closing(sqlite3.connect(path)) as connection:
        return _read(query, connection, *values)
