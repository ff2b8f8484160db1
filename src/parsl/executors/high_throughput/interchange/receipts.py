"""What the driver has of what managers have said, and what the managers know of that.

Whatever is in the driver's socket will be read, even if the interchange is lost. Only then may a manager
forget its results, and only then may it be given tasks: the driver knows whom to wait for if we are lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord

#: Results that have got to the driver are acknowledged with the next tasks, or else after so many seconds.
ACKNOWLEDGE_AFTER_S = 0.2


class Receipts:
    """Owned by the interchange's loop. No clock in here."""

    def __init__(self) -> None:
        #: Managers of which the driver has not heard yet.
        self.unannounced: list[bytes] = []
        #: Managers whose results are on their way to the driver; those who do not know that theirs are there.
        self._arrived: dict[bytes, ManagerRecord] = {}
        #: What stands in the stream to the driver, by where it ends: managers that are announced, and up
        #: to which of their serial numbers others have brought results.
        self._sealed: deque[tuple[int, list[bytes], list[tuple[bytes, ManagerRecord, int]]]] = deque()
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

    def sealed(self, end: int) -> None:
        """All that has come up to now ends here in the stream to the driver."""
        if not (self._arrived or self.unannounced):
            return
        brought = [(name, record, record.received) for name, record in self._arrived.items()]
        self._sealed.append((end, self.unannounced, brought))
        self._arrived, self.unannounced = {}, []

    def written(self, end: int, now_s: float) -> list[bytes]:
        """The stream has been written up to here. Returns: the managers of which the driver knows now."""
        announced: list[bytes] = []
        while self._sealed and self._sealed[0][0] <= end:
            _, names, brought = self._sealed.popleft()
            announced += names
            if brought and not self._due:
                self._due_s = now_s + ACKNOWLEDGE_AFTER_S
            for name, record, serial in brought:
                record.written = serial
                self._due[name] = record
            if brought and self._is_urgent:  # the managers keep it in memory until then
                self._due_s, self._is_urgent = now_s, False
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
