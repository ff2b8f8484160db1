"""Stores rows in an SQLite file, with the module of the standard library.

With a write-ahead log, readers and the writer do not wait for each other. It needs memory that all processes
share, so it is not used on network file systems. When the last run has ended, the file gets the ordinary
journal again: then it is a single file, which users who may not write to its directory can read.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress

from parsl.common.mounts import find_mount, read_mounts
from parsl.common.rundirs import make_directory
from parsl.monitoring.database import schema, sql
from parsl.monitoring.database.store import Store, StoreBusy, StoreError
from parsl.monitoring.database.task_rows import Rows

#: How long SQLite itself waits for a lock, in seconds. The caller tries again.
_BUSY_S = 5.0
_ANOTHER_FILE = (
    "Name another file: MonitoringHub(logging_endpoint='sqlite:////absolute/path/monitoring.db'), or "
    "--database of `parsl monitoring`"
)
#: Parts of SQLite's messages about failures that may pass.
_MAY_PASS = ("locked", "busy", "disk is full", "disk i/o error")

SQLITE = sql.Dialect(
    mark="?", types={}, key_type="INTEGER NOT NULL", keyed_suffix=" WITHOUT ROWID", casts_values=False
)
#: In bytes. With SQLite's default, it takes a fifth longer to fill the tables.
_PAGE_BYTES = 16384
#: How many rows of each index are enough to estimate the others.
_ANALYSED_ROWS = 400
_CACHE_BYTES = 32 * 1024 * 1024


class SqliteStore(Store):
    """A database in an SQLite file.

    Args:
        path: The file; it is created, with its directory, if it does not exist.
        busy_s: How long to wait for a lock, in seconds.
    """

    def __init__(self, path: str, busy_s: float = _BUSY_S) -> None:
        self._path = path
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None
        self._statements = sql.storing_statements(SQLITE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    def open(self) -> None:
        try:
            make_directory(os.path.dirname(os.path.abspath(self._path)))
        except OSError as error:
            raise StoreError(
                f"{self._path}: its directory cannot be made: {error.strerror or error}. {_ANOTHER_FILE}"
            ) from error
        try:
            self._connection = connection = sqlite3.connect(
                self._path, timeout=self._busy_s, isolation_level=None
            )
            _choose_journal(connection, self._path)
            connection.execute("BEGIN IMMEDIATE")
            self._check_schema(connection)
            for statement in sql.creating_statements(SQLITE):
                connection.execute(statement)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise self._explained(error) from error
        except StoreError:
            self.close()
            raise

    def records_of(self, run_id: str) -> int:
        try:
            found = self._connected.execute(
                "SELECT records FROM parsl_event_log WHERE run_id = ?", (run_id,)
            ).fetchone()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return 0 if found is None else int(found[0])

    def write(self, rows: Rows) -> None:
        connection = self._connected
        try:
            connection.execute("BEGIN IMMEDIATE")
            for table in schema.TABLES:
                if found := rows.get(table.name):
                    connection.executemany(self._statements[table.name], found)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise self._explained(error) from error

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout = 0")
            # By these figures, a query for a task without its run looks into each run, not at each row.
            connection.execute(f"PRAGMA analysis_limit = {_ANALYSED_ROWS}")
            connection.execute("ANALYZE")
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA journal_mode = DELETE")  # refused while another process uses the file
        with suppress(sqlite3.Error):
            connection.close()

    @property
    def _connected(self) -> sqlite3.Connection:
        assert self._connection is not None, "open() comes first"
        return self._connection

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        wrong = []
        for table in schema.TABLES:
            found = connection.execute(f"PRAGMA table_info({sql.quoted(table.name)})").fetchall()
            if found:
                columns = {name: bool(needs) and default is None for _, name, _, needs, default, _ in found}
                wrong += schema.missing_columns(table, columns)
        if wrong:
            raise StoreError(
                f"{self._path} has another schema, of another version or program: it has "
                f"{schema.listed(wrong)}. Rename it, or use another one. {_ANOTHER_FILE}"
            )

    def _explained(self, error: sqlite3.Error) -> StoreError | StoreBusy:
        text = str(error)
        if isinstance(error, sqlite3.OperationalError) and any(part in text.lower() for part in _MAY_PASS):
            return StoreBusy(f"{self._path}: {text}")
        if "unable to open" in text or "readonly" in text:
            return StoreError(
                f"{self._path} cannot be written: {text}. Is it yours, and may you write to its directory? "
                f"{_ANOTHER_FILE}"
            )
        return StoreError(
            f"{self._path} cannot be used: {text}. Rename it, and let `parsl monitoring RUN_DIR` write the "
            "runs that are needed into a new one"
        )


def _choose_journal(connection: sqlite3.Connection, path: str) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute(f"PRAGMA cache_size = {-_CACHE_BYTES // 1024}")
    mount = find_mount(os.path.realpath(path), read_mounts())
    is_shared = mount is not None and mount.is_shared
    with suppress(sqlite3.OperationalError):  # another process uses the file with another journal
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_shared else 'WAL'}")
    if not is_shared:
        # A crash of the host may cost the last rows, but the event log has them.
        connection.execute("PRAGMA synchronous = NORMAL")
