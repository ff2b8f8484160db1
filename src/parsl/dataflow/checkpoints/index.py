"""Where the record of each call is, for any number of records in little memory."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The database keeps so much in memory, and the rest in a temporary file. In KiB.
_CACHE_KIB = 32 << 10
#: A place is the number of a file above these bits, and a position in it below.
_POSITION_BITS = 44


class RecordIndex:
    """Remembers for each key a file and a position; the latest one added counts.

    It is a private SQLite database that goes with the process, so no other one ever locks it. Any thread
    may call it. Only 8 of the 16 bytes of a key are kept: whoever reads the record compares the others.
    """

    def __init__(self) -> None:
        import sqlite3

        self._lock = threading.Lock()
        # An empty name: a temporary database that spills to a file when it outgrows its cache.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in (f"cache_size=-{_CACHE_KIB}", "journal_mode=off", "synchronous=off"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE records (key INTEGER PRIMARY KEY, place INTEGER)")

    def add(self, file: int, records: Iterable[tuple[bytes, int]]) -> int:
        """Add the records of a file: their keys and positions. Returns how many those were."""
        first = file << _POSITION_BITS
        with self._lock:
            before = self._database.total_changes
            self._database.execute("BEGIN")
            try:
                self._database.executemany(
                    "INSERT OR REPLACE INTO records VALUES (?, ?)",
                    ((_short(key), first | position) for key, position in records),
                )
            finally:
                self._database.execute("COMMIT")
            return self._database.total_changes - before

    def find(self, key: bytes) -> tuple[int, int] | None:
        """Return the file and the position of a record."""
        with self._lock:
            row = self._database.execute("SELECT place FROM records WHERE key = ?", (_short(key),)).fetchone()
        return None if row is None else _place(row[0])

    def places(self) -> Iterator[tuple[int, int]]:
        """Go through the files and positions of all records."""
        with self._lock:
            rows = self._database.execute("SELECT place FROM records ORDER BY place").fetchall()
        return (_place(row[0]) for row in rows)

    def __len__(self) -> int:
        with self._lock:
            count: int = self._database.execute("SELECT count(*) FROM records").fetchone()[0]
            return count

    def close(self) -> None:
        """Give back what it uses."""
        with self._lock:
            self._database.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} records>"


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8], "big", signed=True)


def _place(number: int) -> tuple[int, int]:
    return number >> _POSITION_BITS, number & ((1 << _POSITION_BITS) - 1)
