"""What stores of rows share: their interface, and why storing has failed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from parsl.errors import ParslError
from parsl.monitoring.database.task_rows import Rows


class StoreError(ParslError):
    """A database cannot be used, and trying again does not help; the message has the reason and advice."""


class StoreBusy(ParslError):
    """A database cannot be used at the moment: locked, its disk full, or its server unreachable."""


class Store(ABC):
    """Stores rows in a database. Owned by one thread.

    Raises:
        StoreError: From each method: it will not work later, either.
        StoreBusy: From each method: nothing has been stored, and it may work later.
    """

    @abstractmethod
    def open(self) -> None:
        """Connect, and create the tables that do not exist."""

    @abstractmethod
    def records_of(self, run_id: str) -> int:
        """Return how many records of a run's event log are stored already."""

    @abstractmethod
    def write(self, rows: Rows) -> None:
        """Store rows, by the names of their tables: all of them or none."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect. Raises nothing."""
