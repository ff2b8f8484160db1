"""Fills a database from the event log of a run in large transactions, and waits while it is locked.

The event log keeps everything, so nothing is lost while rows cannot be stored, and what a killed process has
not stored, another one stores later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from logging import getLogger
from time import monotonic, time
from typing import TypeVar

from parsl.eventlog.file import EventLogError, EventReader
from parsl.eventlog.history import driver_lives
from parsl.monitoring.database import schema
from parsl.monitoring.database.moments import MomentText, microseconds
from parsl.monitoring.database.rows import RunRows
from parsl.monitoring.database.store import Store, StoreBusy, StoreError
from parsl.monitoring.database.task_rows import Rows

T = TypeVar("T")

logger = getLogger(__name__)

#: About how many rows one transaction stores.
_ROWS_PER_TRANSACTION = 100_000
#: How often to look for new records, in seconds.
_PERIOD_S = 0.5
#: Pauses between attempts to use a busy database, in seconds.
_MAX_PAUSE_S = 5.0
#: How long a database may be busy until a warning, in seconds.
_WARN_AFTER_S = 10.0
#: How long to wait for a busy database after the end of the run, in seconds.
PATIENCE_S = 3600.0
#: How often to check whether the driver's process is alive, in seconds.
_CHECK_DRIVER_S = 10.0


class Filling:
    """Takes the records of one run, and stores their rows. Owned by one thread.

    Args:
        reader: Reads the event log.
        store: Stores the rows; this object opens it.
        resource_interval_s: The interval of resource monitoring in seconds; None if it is off.
        wait: Waits for this many seconds, or until the run is over; returns whether it is.
        warn: Called with a text for the user.
        patience_s: How long to wait for a busy database after the end of the run, in seconds.

    Attributes:
        is_complete: Whether everything that the log will ever contain is stored.
    """

    def __init__(
        self,
        reader: EventReader,
        store: Store,
        *,
        resource_interval_s: float | None,
        wait: Callable[[float], bool],
        warn: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._reader = reader
        self._store = store
        self._rows = RunRows(resource_interval_s)
        self._wait = wait
        self._warn = warn
        self._patience_s = patience_s
        self._text = MomentText()
        #: How many records need not be stored again; None before this is known.
        self._stored: int | None = None
        self._is_over = self._has_warned = False
        self.is_complete = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._rows!r} to {self._store!r}>"

    @property
    def rows(self) -> RunRows:
        """What has been taken in."""
        return self._rows

    def run(self) -> None:
        """Store everything, until the run is over.

        Raises:
            StoreError: The database cannot be used.
            EventLogError: The event log cannot be read, or its beginning is damaged.
        """
        self._insist(self._store.open)
        try:
            checked_s = monotonic()
            while self._advance() or not (self._rows.has_ended or self._is_over):
                self._is_over = self._wait(0.0 if self._is_over else _PERIOD_S) or self._is_over
                if monotonic() > checked_s + _CHECK_DRIVER_S:
                    checked_s = monotonic()
                    self._is_over = self._is_over or self._driver_runs() is False
            self._finish()
        finally:
            self._store.close()

    def _advance(self) -> bool:
        """Store what is new; return whether there was something."""
        before = self._rows.record_count
        for record in self._reader.read():
            self._rows.take(record)
            if self._stored is None and self._rows.run is not None:
                self._stored = self._insist(partial(self._store.records_of, self._rows.run.run_id))
            if self._rows.record_count == self._stored:
                self._rows.collect()
            elif self._rows.row_count >= _ROWS_PER_TRANSACTION:
                self._write()
        if self._rows.record_count == before:
            return False
        self._write()
        return True

    def _finish(self) -> None:
        self.is_complete = self._rows.has_ended or self._driver_runs() is False
        if self._rows.run is not None:
            self._insist(partial(self._store.write, self._with_position({})))
        elif self._reader.damaged_bytes or self._reader.unknown_records:
            raise EventLogError(
                f"{self._reader.path} has a damaged beginning, where the facts of the run are: nothing of it "
                "can be written into a database. `parsl top` and the dashboard show what can be read"
            )

    def _driver_runs(self) -> bool | None:
        """Whether the driver runs; None if that is unknown."""
        return driver_lives(self._rows.run)

    def _write(self) -> None:
        rows = self._rows.collect()
        if self._rows.run is None or self._rows.record_count < (self._stored or 0):
            return
        self._insist(partial(self._store.write, self._with_position(rows)))
        logger.debug("Stored %d rows: %r", sum(map(len, rows.values())), self)

    def _with_position(self, rows: Rows) -> Rows:
        run = self._rows.run
        assert run is not None
        row = (
            run.run_id, self._reader.path, self._rows.record_count, self._rows.lost_records, self.is_complete,
            self._text(microseconds(time())),
        )  # fmt: skip
        return {**rows, schema.EVENT_LOG.name: [row]}

    def _insist(self, action: Callable[[], T]) -> T:
        """Do something with the database, and repeat that while the database is busy."""
        began_s, pause_s, over_s = monotonic(), 0.05, None
        while True:
            try:
                return action()
            except StoreBusy as error:
                now_s = monotonic()
                if self._is_over:
                    over_s = over_s or now_s
                    if now_s > over_s + self._patience_s:
                        raise StoreError(
                            f"{str(error).rstrip('.')}. Later, `parsl monitoring RUN_DIR` adds the rest"
                        ) from error
                if now_s > began_s + _WARN_AFTER_S and not self._has_warned:
                    self._has_warned = True
                    self._warn(f"{error} -- rows are stored when that is over; the event log keeps them")
                self._is_over = self._wait(pause_s) or self._is_over
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
