"""The rows of tasks in the event log, from the end of the tasks until the log's thread writes them.

Rows are tuples with the fields of a `TaskRow`. Up to 256 are encoded together, which takes half the time per
row. More would keep tuples waiting, which Python's garbage collector visits.
"""

from __future__ import annotations

from collections import Counter, deque
from logging import getLogger
from threading import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Row = tuple[Any, ...]

logger = getLogger(__name__)

#: How many rows are encoded together at most.
BATCH = 256
_STATE_BITS = 4
_STATE_MASK = 15


class Batch:
    """Rows that have been encoded.

    Args:
        rows: All rows, for the numbers of tasks.
        encoded: The rows as a list in msgpack, without those that could not be encoded.
        encoded_number: How many rows the list has.
    """

    __slots__ = ("encoded", "encoded_number", "kinds")

    def __init__(self, rows: Sequence[Row], encoded: bytes, encoded_number: int) -> None:
        self.encoded = encoded
        self.encoded_number = encoded_number
        kinds = [row[1] << _STATE_BITS | row[3] for row in rows]
        is_one_kind = kinds.count(kinds[0]) == len(kinds)  # usually, and found sooner
        #: How many rows have an app and a state, both in one number because tuples are slow to hash.
        self.kinds = {kinds[0]: len(kinds)} if is_one_kind else Counter(kinds)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.encoded_number}>"


def app_and_state(kind: int) -> tuple[int, int]:
    """Return the numbers of an app and of a state, given a key of :attr:`Batch.kinds`."""
    return kind >> _STATE_BITS, kind & _STATE_MASK


class EndedRows:
    """The rows of ended tasks that are not yet in the log. Any thread may use them.

    Args:
        max_waiting: How many rows wait at most, before the oldest are dropped.

    Attributes:
        add: Call it with the row of a task that has ended. After some hundred rows, call :meth:`encode`.
    """

    def __init__(self, max_waiting: int) -> None:
        self._rows: deque[Row] = deque(maxlen=max_waiting)
        self.add = self._rows.append
        self._batches: deque[Batch] = deque(maxlen=max_waiting // BATCH)
        self._encode: Callable[[Any], bytes] | None = None
        self._lock = RLock()  # reentrant, because a signal handler may end tasks in between

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._batches)} batches, {len(self._rows)} rows>"

    def encode_with(self, encode: Callable[[Any], bytes]) -> None:
        """Encode rows with a function from now on. Before, rows wait: its module takes long to import."""
        self._encode = encode

    def encode(self) -> None:
        """Encode the rows that wait, if that is possible yet."""
        if self._encode is not None:
            with self._lock:
                self._batches.extend(batches_of(self._take_rows(), self._encode))

    def _take_rows(self) -> list[Row]:
        taken: list[Row] = []
        try:
            while True:
                taken.append(self._rows.popleft())
        except IndexError:  # another thread may have taken the last one
            return taken

    @property
    def is_full(self) -> bool:
        """Whether rows are dropped, or will be soon."""
        return len(self._batches) == self._batches.maxlen or len(self._rows) == self._rows.maxlen

    def take(self) -> list[Batch]:
        """Remove everything, encoded."""
        self.encode()  # which waits for another thread that is about to do that
        return [self._batches.popleft() for _ in range(len(self._batches))]

    def clear(self) -> None:
        """Forget everything, in a forked child: another thread of the parent may have the lock."""
        self._lock = RLock()
        self._rows.clear()
        self._batches.clear()


def batches_of(rows: Sequence[Row], encode: Callable[[Any], bytes]) -> Iterator[Batch]:
    """Encode rows. One that cannot be encoded costs no other."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        try:
            yield Batch(part, encode(part), len(part))
        except Exception:
            intact = [row for row in part if _can_be_encoded(row, encode)]
            yield Batch(part, encode(intact), len(intact))


def _can_be_encoded(row: Row, encode: Callable[[Any], bytes]) -> bool:
    try:
        encode(row)
    except Exception:
        logger.exception("The row of task %s is missing in the event log: %r", row[0], row)
        return False
    return True
