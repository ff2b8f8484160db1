"""What the driver has of what managers have said, and what the managers know of that.

Whatever is in the driver's socket will be read, even if the interchange is lost. Only then may a manager
forget its results, and only then may it be given tasks: the driver knows whom to wait for if we are lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from parsl.executors.high_throughput.manager_record import ManagerRecord

#: Results that have got to the driver are acknowledged with the next tasks, or else after so many seconds.
ACKNOWLEDGE_AFTER_S = 0.2


class Receipts:
    """Owned by the interchange's loop. No clock in here."""

    def __init__(self) -> None:
        #: Managers of which the driver has not heard yet.
        self.unannounced: list[bytes] = []
        #: Managers whose results are on their way to the driver; those who do not know that theirs are there.
        self._arrived: dict[bytes, ManagerRecord] = {}
        self._due: dict[bytes, ManagerRecord] = {}
        self._due_s = float("inf")
        self._is_urgent = False

    def __repr__(self) -> str:
        return f"<Receipts arrived={len(self._arrived)} due={len(self._due)}>"

    @property
    def due_s(self) -> float:
        """When the next receipts must be given that have not gone along with tasks; infinity for never."""
        return self._due_s if self._due else float("inf")

    def announce(self, record: ManagerRecord) -> None:
        """The driver is told of this manager with what is written next; until then it gets no task."""
        record.is_announced = False
        self.unannounced.append(record.name.encode())

    def arrived(self, name: bytes, record: ManagerRecord, *, is_large: bool) -> None:
        """Results of this manager go to the driver with what is written next."""
        self._arrived[name] = record
        self._is_urgent = self._is_urgent or is_large

    def written(self, now_s: float) -> list[bytes]:
        """Everything has been written to the driver. Returns: the managers of which it knows now."""
        if self._arrived:
            if not self._due:
                self._due_s = now_s + ACKNOWLEDGE_AFTER_S
            if self._is_urgent:  # the managers keep it in memory until then
                self._due_s, self._is_urgent = now_s, False
            for record in self._arrived.values():
                record.written = record.received
            self._due |= self._arrived
            self._arrived.clear()
        announced, self.unannounced = self.unannounced, []
        return announced

    def given(self, name: bytes) -> None:
        """The receipt has gone along with tasks."""
        self._due.pop(name, None)

    def forget(self, name: bytes) -> None:
        """The manager is gone."""
        self._arrived.pop(name, None)
        self._due.pop(name, None)

    def take_due(self) -> Iterator[tuple[bytes, int]]:
        """Managers, and up to which serial number their results are with the driver."""
        due, self._due = self._due, {}
        return ((name, record.written) for name, record in due.items())
