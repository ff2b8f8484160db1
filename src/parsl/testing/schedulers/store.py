"""The state of a stand-in cluster on disk: one database, one lock that whoever reads or writes it holds.

There is no server process. Each command takes the lock, does what the server would, and lets go of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parsl.testing.schedulers.records import (
    ACTIVE,
    Job,
    Payload,
    Settings,
    job_from_json,
    payload_from_json,
    settings_from_json,
    to_json,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, state TEXT, body TEXT, payload TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
"""
_DATABASE = "cluster.db"
_LOCK = "cluster.lock"
#: Held, shared, by each runner for as long as it lives, and by whoever is about to start one.
_RUNNERS_LOCK = "runners.lock"
_FOLDERS = ("aux", "jobs", "spool", "tmp")
#: SQLite takes so many values in a statement, whatever its version.
_MAX_VALUES = 900


class Transaction:
    """The state, while the lock is held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def settings(self) -> Settings:
        """Return what the cluster is."""
        return settings_from_json(self._fact_text("settings", ""))

    def fact(self, name: str, default: Any = None) -> Any:
        """Return what was kept under a name; a value of JSON."""
        text = self._fact_text(name, "")
        return json.loads(text) if text else default

    def set_fact(self, name: str, value: Any) -> None:
        """Keep a value of JSON under a name."""
        self._connection.execute("REPLACE INTO facts VALUES (?, ?)", (name, to_json(value)))

    def take_number(self) -> int:
        """Return a job number that nobody has had."""
        number: int = self.fact("next_number", 1)
        self.set_fact("next_number", number + 1)
        return number

    def add(self, job: Job, payload: Payload) -> None:
        """Note a new job."""
        row = (job.number, job.state, to_json(job), to_json(payload))
        self._connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", row)

    def update(self, job: Job) -> None:
        """Note what has become of a job."""
        row = (job.state, to_json(job), job.number)
        self._connection.execute("UPDATE jobs SET state = ?, body = ? WHERE number = ?", row)

    def job(self, number: int) -> Job | None:
        """Return a job; None: there never was one of this number."""
        row = self._connection.execute("SELECT body FROM jobs WHERE number = ?", (number,)).fetchone()
        return None if row is None else job_from_json(row[0])

    def jobs(self, states: Sequence[str] | None = None) -> list[Job]:
        """Return jobs in the order of their submission: all, or those in certain states."""
        if states is None:
            rows = self._connection.execute("SELECT body FROM jobs ORDER BY number")
        else:
            marks = ",".join("?" * len(states))
            rows = self._connection.execute(
                f"SELECT body FROM jobs WHERE state IN ({marks}) ORDER BY number", tuple(states)
            )
        return [job_from_json(body) for (body,) in rows]

    def active_jobs(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return self.jobs(ACTIVE)

    def payloads(self, numbers: Sequence[int]) -> dict[int, Payload]:
        """Return what these jobs run, by their numbers."""
        found: dict[int, Payload] = {}
        for start in range(0, len(numbers), _MAX_VALUES):
            some = tuple(numbers[start : start + _MAX_VALUES])
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT number, payload FROM jobs WHERE number IN ({marks})", some
            )
            found.update((number, payload_from_json(text)) for number, text in rows)
        return found

    def payload(self, number: int) -> Payload:
        """Return what a job runs."""
        return self.payloads([number])[number]

    def _fact_text(self, name: str, default: str) -> str:
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])


class ClusterStore:
    """The state of a cluster; used by many processes, and opened anew for each transaction.

    Args:
        directory: Where the state is.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def __repr__(self) -> str:
        return f"<ClusterStore {self.directory}>"

    def path(self, *names: str) -> str:
        """Return the path of something in the cluster's directory."""
        return os.path.join(self.directory, *names)

    def create(self, settings: Settings) -> None:
        """Make the directory and an empty state."""
        for folder in _FOLDERS:
            os.makedirs(self.path(folder), exist_ok=True)
        with self.transaction() as state:
            state._connection.executescript(_SCHEMA)
            state._connection.execute("BEGIN")
            state.set_fact("settings", settings)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold the lock, and keep what was changed unless there is an exception."""
        with self._locked():
            connection = sqlite3.connect(self.path(_DATABASE), isolation_level=None)
            try:
                # The machine may crash and take the state with it; a process that is killed must not.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                yield Transaction(connection)
                connection.execute("COMMIT")
            finally:
                connection.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self.path(_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def open_runners_lock(self) -> int:
        """Open the lock that runners hold; the descriptor is the caller's to close."""
        return os.open(self.path(_RUNNERS_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
