"""Storing rows in a PostgreSQL server: a real one, which the tests start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsl.eventlog.file import EventReader
from parsl.monitoring.database import schema
from parsl.monitoring.database.endpoint import store_for, without_password
from parsl.monitoring.database.filling import Filling
from parsl.monitoring.database.sqlite import SqliteStore
from parsl.monitoring.database.store import Store, StoreBusy, StoreError
from tests.monitoring.database.runs import query
from tests.support.event_logs import write_event_log

sqlalchemy = pytest.importorskip("sqlalchemy")


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL, which Debian does not put on the PATH."""
    found = shutil.which(name)
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found or (str(candidates[-1]) if candidates else None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database on a private socket."""
    if program("initdb") is None or program("pg_ctl") is None:
        pytest.skip("there is no PostgreSQL: install Debian's postgresql")
    # Its path is short, because that of a socket is, and outside of directories that only root can enter.
    directory = Path(subprocess.check_output(["mktemp", "-d", "/tmp/pgXXXXXX"], text=True).strip())
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(directory, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(*words: str) -> None:
        subprocess.run([*as_user, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

    data = str(directory / "data")
    options = f"-k {directory} -c listen_addresses= -c fsync=off"
    try:
        run(program("initdb") or "", "-D", data, "-A", "trust", "-U", "ada", "--no-sync")
        log = str(directory / "log")
        run(program("pg_ctl") or "", "-D", data, "-o", options, "-l", log, "-w", "start")
        try:
            yield f"postgresql://ada@/postgres?host={directory}"
        finally:
            run(program("pg_ctl") or "", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    name = f"t{abs(hash(request.node.name))}"
    execute(server, f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Return the rows that a statement finds."""
    engine = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql(statement)
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


def fill(log: Path, store: Store) -> Filling:
    with EventReader(log) as reader:
        filling = Filling(reader, store, resource_interval_s=30.0, wait=lambda _: True, warn=print)
        filling.run()
    return filling


def test_a_run_is_stored_as_in_sqlite(url: str, tmp_path: Path) -> None:
    log = write_event_log(tmp_path / "000", 2000, fail_every=100, waiting=3)
    assert fill(log, store_for(url)).is_complete
    fill(log, SqliteStore(str(tmp_path / "monitoring.db")))
    for table in schema.UPSTREAM_TABLES:
        columns = ", ".join(f"CAST({name} AS TEXT)" for name in _texts(table))
        key = ", ".join(f'"{table.name}".{name}' for name in table.key)
        statement = f'SELECT {columns} FROM "{table.name}" ORDER BY {key} LIMIT 500'
        assert execute(url, statement) == query(tmp_path / "monitoring.db", statement), table.name


def _texts(table: schema.Table) -> list[str]:
    """Return columns whose text is the same in both databases."""
    return [f'"{column.name}"' for column in table.columns if column.kind in (schema.TEXT, schema.INTEGER)]


def test_storing_a_run_again_changes_nothing(url: str, tmp_path: Path) -> None:
    log = write_event_log(tmp_path / "000", 100)
    fill(log, store_for(url))
    fill(log, store_for(url))
    assert execute(url, "SELECT COUNT(*) FROM status") == [(500,)]
    assert execute(url, "SELECT hostname, active FROM node ORDER BY id") == [
        ("x0", True), ("x1", True), ("x0", False), ("x1", False),
    ]  # fmt: skip
    assert execute(url, "SELECT MAX(task_time_returned) > MIN(task_time_invoked) FROM task") == [(True,)]


def test_another_schema_is_refused(url: str) -> None:
    execute(url, "CREATE TABLE task (task_id INTEGER)")
    with pytest.raises(StoreError, match=r"another schema.*no column task\.run_id"):
        store_for(url).open()


def test_a_database_that_does_not_exist_is_refused(server: str) -> None:
    with pytest.raises(StoreError, match='database "nothing" does not exist'):
        store_for(server.replace("/postgres?", "/nothing?")).open()


def test_a_server_that_is_away_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match=r"postgresql://ada:\*\*\*@/x"):
        store_for(f"postgresql://ada:secret@/x?host={tmp_path}").open()


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://ada:pa55@host/x") == "postgresql://ada:***@host/x"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
