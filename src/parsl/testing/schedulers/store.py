"""The state of a stand-in cluster on disk: one database, and a lock around each access.

Values are pickles, which only the processes of the cluster write and read.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parsl.testing.schedulers import records
from parsl.testing.schedulers.records import Job, Payload, Settings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY, state TEXT, body BLOB, payload BLOB);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB);
"""
_DATABASE = "cluster.db"
_LOCK = "cluster.lock"
#: Each runner holds a shared lock on this file while it lives; so does a process that is about to start one.
RUNNERS_LOCK = "runners.lock"
#: The owner of the cluster holds a lock on this file while it lives.
OWNER_LOCK = "owner.lock"
_FOLDERS = ("aux", "jobs", "spool", "tmp")


class Transaction:
    """The state while the lock is held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def settings(self) -> Settings:
        settings: Settings = self.fact("settings")
        return settings

    def fact(self, name: str, default: Any = None) -> Any:
        """Return the value with this name."""
        value = self._value("SELECT value FROM facts WHERE name = ?", name)
        return default if value is None else value

    def set_fact(self, name: str, value: Any) -> None:
        self._connection.execute("REPLACE INTO facts VALUES (?, ?)", (name, pickle.dumps(value)))

    def take_number(self) -> int:
        number: int = self.fact("next_number", 1)
        self.set_fact("next_number", number + 1)
        return number

    def add(self, job: Job, payload: Payload) -> None:
        row = (job.number, job.state, pickle.dumps(job), pickle.dumps(payload))
        self._connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", row)

    def update(self, job: Job) -> None:
        row = (job.state, pickle.dumps(job), job.number)
        self._connection.execute("UPDATE jobs SET state = ?, body = ? WHERE number = ?", row)

    def job(self, number: int) -> Job | None:
        """Return a job; None if the number is unknown."""
        job: Job | None = self._value("SELECT body FROM jobs WHERE number = ?", number)
        return job

    def payload(self, number: int) -> Payload:
        payload: Payload = self._value("SELECT payload FROM jobs WHERE number = ?", number)
        return payload

    def jobs(self, states: Sequence[str] | None = None) -> list[Job]:
        """Return all jobs, or those in certain states, in the order of submission."""
        condition = "" if states is None else f"WHERE state IN ({','.join('?' * len(states))})"
        query = f"SELECT body FROM jobs {condition} ORDER BY number"
        rows = self._connection.execute(query, tuple(states or ()))
        return [pickle.loads(body) for (body,) in rows]

    def active_jobs(self) -> list[Job]:
        return self.jobs(records.ACTIVE)

    def _value(self, query: str, key: object) -> Any:
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else pickle.loads(row[0])


class ClusterStore:
    """The state of a cluster, which many processes use; each transaction opens the database anew."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def create(self, settings: Settings) -> None:
        """Create the directory and an empty state."""
        for folder in _FOLDERS:
            os.makedirs(self.path(folder), exist_ok=True)
        with self.transaction() as state:
            state._connection.executescript(_SCHEMA)
            state._connection.execute("BEGIN")
            state.set_fact("settings", settings)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold the lock, and keep the changes unless there is an exception."""
        lock = self.open_lock(_LOCK)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = sqlite3.connect(self.path(_DATABASE), isolation_level=None)
            try:
                # The state need not survive a crash of the machine, only a killed process.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                yield Transaction(connection)
                connection.execute("COMMIT")
            finally:
                connection.close()
        finally:
            os.close(lock)

    def open_lock(self, lock: str) -> int:
        """Open a lock file; the caller closes the descriptor."""
        return os.open(self.path(lock), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
