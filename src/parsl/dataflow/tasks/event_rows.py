"""The rows of tasks in the event log, from the end of the tasks until the log's thread writes them.

Most tasks end well, at their first attempt. These wait as records, of which 256 become rows together: in a
loop of its own, that takes half the time. More would keep objects waiting, which Python's garbage collector
visits.
"""

from __future__ import annotations

from collections import Counter, deque
from logging import getLogger
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

    Row = tuple[Any, ...]
    Encode = Callable[[Any], bytes]
    PlainEnd = tuple[TaskRecord, bytes]
    #: Returns the fields of a `PlainRow` for each of some tasks, and the kind of each: see `kind_of`.
    PlainRows = Callable[[Sequence[PlainEnd]], tuple[Sequence[Row], Sequence[int]]]

logger = getLogger(__name__)

#: How many rows are encoded together at most.
BATCH = 256
#: The size of a part for the log, about, and of the memory for rows: the first one, and what is kept at most.
_PART_BYTES = 256 * 1024
_FIRST_BYTES = 64 * 1024
_KEPT_BYTES = 16 * 1024 * 1024
#: The first byte of a list of 16 to 65,535 items in msgpack, which two bytes follow; shorter ones have one.
_ARRAY_16 = 0xDC
_STATE_BITS = 4
_STATE_MASK = 15
#: How long rows are waited for that another thread is encoding (seconds).
_PATIENCE_S = 5.0


class EncodedRows:
    """Rows in msgpack, one after the other. Owned by one thread at a time.

    Their memory is kept for the next rows, because new memory costs a page fault for each 4 KB, which takes
    as long as a dozen rows.

    Args:
        record: The name of the class of their records, `Tasks` or `PlainTasks`.

    Attributes:
        number: How many rows these are.
        lost: How many others could not be encoded, or were too many.
        kinds: How many ended tasks are of a kind, see :func:`kind_of`. Those that could not be encoded count.
    """

    def __init__(self, record: str) -> None:
        self.record = record
        self.number = self.lost = 0
        self.kinds: Counter[int] = Counter()
        self._memory = bytearray()
        #: For each batch, where it ends and how many rows it has. What is behind the last one does not count.
        self._batches: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number} of {self.record}>"

    def add(self, rows: Sequence[Row], encode: Encode) -> None:
        """Add up to 65,535 rows. One that cannot be encoded costs no other; it counts in `lost`."""
        encoded, number = _encoded(rows, encode)
        self.lost += len(rows) - number
        body = memoryview(encoded)[3 if encoded[0] == _ARRAY_16 else 1 :]
        begin = self._size
        end = begin + len(body)
        if end > len(self._memory):  # a new one: a view of the old one may be left somewhere
            memory = bytearray(max(_FIRST_BYTES, end + len(self._memory)))
            memory[:begin] = self._memory[:begin]
            self._memory = memory
        self._memory[begin:end] = body
        if number:
            self._batches.append((end, number))
            self.number += number

    @property
    def _size(self) -> int:
        return self._batches[-1][0] if self._batches else 0

    def add_all(self, rows: Sequence[Row], encode: Encode) -> None:
        """Add any number of rows; see :meth:`add`."""
        for start in range(0, len(rows), BATCH):
            self.add(rows[start : start + BATCH], encode)

    def count(self, kinds: Sequence[int]) -> None:
        """Count ended tasks, given the kind of each."""
        if kinds and kinds.count(kinds[0]) == len(kinds):  # usually, and found sooner
            self.kinds[kinds[0]] += len(kinds)
        else:
            self.kinds.update(kinds)

    def parts(self) -> Iterator[tuple[memoryview, int]]:
        """Yield the rows in parts, and how many these are. Release each part before anything is added."""
        memory, size = memoryview(self._memory), self._size
        begin = number = 0
        for end, more in self._batches:
            number += more
            if end - begin >= _PART_BYTES or end == size:
                yield memory[begin:end], number
                begin, number = end, 0

    def clear(self) -> None:
        """Remove all rows."""
        self.number = self.lost = 0
        self.kinds.clear()
        self._batches.clear()
        if len(self._memory) > _KEPT_BYTES:
            self._memory = bytearray()


def kind_of(app: int, state: int) -> int:
    """Return the kind of a task, given the numbers of its app and state. Tuples would be slow to hash."""
    return app << _STATE_BITS | state


def app_and_state(kind: int) -> tuple[int, int]:
    """Return the numbers of the app and of the state, given a kind."""
    return kind >> _STATE_BITS, kind & _STATE_MASK


class EndedRows:
    """The rows of ended tasks that are not yet in the log. Any thread may use them, and one takes them.

    Args:
        max_waiting: How many rows wait at most; likewise plain ones. More are dropped.
        plain_rows: Makes plain rows.

    Attributes:
        add: Call it with the row of a task that has ended: the fields of a `TaskRow`.
        add_plain: Call it instead with the record of a task that has ended, and what its attempt has used, if
            these are all that a `PlainRow` needs. Call :meth:`encode` after some hundred of both.
        may_lack_rows: Whether rows may have been dropped that no `EncodedRows` counts.
    """

    def __init__(self, max_waiting: int, plain_rows: PlainRows) -> None:
        self._max_waiting = max_waiting
        self._plain_rows = plain_rows
        self._rows: deque[Row] = deque(maxlen=max_waiting)
        self.add = self._rows.append
        self._plain: deque[PlainEnd] = deque(maxlen=max_waiting)
        self.add_plain = self._plain.append
        self.may_lack_rows = False
        self._encoded = EncodedRows("PlainTasks"), EncodedRows("Tasks")
        #: What was taken last: its memory is used again.
        self._taken = EncodedRows("PlainTasks"), EncodedRows("Tasks")
        self._encode: Encode | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        plain, others = self._encoded
        return f"<{type(self).__name__} {plain.number}+{len(self._plain)}, {others.number}+{len(self._rows)}>"

    def encode_with(self, encode: Encode) -> None:
        """Encode rows with a function from now on. Before, rows wait: its module takes long to import."""
        self._encode = encode

    def encode(self) -> None:
        """Encode the rows that wait, if that is possible yet.

        Rows go on waiting if that is being done already, perhaps by the code that a signal handler has
        interrupted.
        """
        lock = self._lock
        if self._encode is not None and lock.acquire(blocking=False):
            try:
                self._encode_all(self._encode)
            finally:
                lock.release()

    def _encode_all(self, encode: Encode) -> None:
        plain, others = self._encoded
        try:
            for ended in self._removed(self._plain, plain):
                rows, kinds = self._plain_rows(ended)
                plain.add(rows, encode)
                plain.count(kinds)
            for rows in self._removed(self._rows, others):
                others.add(rows, encode)
                others.count([kind_of(row[1], row[3]) for row in rows])
        except BaseException:  # an interrupt, perhaps, which costs the rows of a batch
            self.may_lack_rows = True
            raise

    def _removed(self, waiting: deque[Any], encoded: EncodedRows) -> Iterator[Sequence[Any]]:
        """Remove what waits now, and yield it in parts. If too much is encoded already, it counts as lost."""
        if len(waiting) == waiting.maxlen:
            self.may_lack_rows = True
        for _ in range(0, len(waiting), BATCH):
            taken = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            if encoded.number < self._max_waiting:
                yield taken
            else:
                encoded.lost += len(taken)

    def take(self) -> tuple[EncodedRows, EncodedRows]:
        """Remove everything, encoded: plain rows and others. They are valid until the next call.

        Nothing if another call takes too long. It was interrupted, perhaps by the signal handler that is the
        caller, or before it could release the lock: the next call has another one.
        """
        lock = self._lock
        if not lock.acquire(timeout=_PATIENCE_S):
            self._lock = Lock()
            self.may_lack_rows = True
            return EncodedRows("PlainTasks"), EncodedRows("Tasks")
        try:
            for each in self._taken:
                each.clear()
            if self._encode is not None:
                self._encode_all(self._encode)
            self._encoded, self._taken = self._taken, self._encoded
            return self._taken
        finally:
            lock.release()

    def clear(self) -> None:
        """Forget everything, in a forked child: another thread of the parent may have the lock."""
        self._lock = Lock()
        for each in (self._rows, self._plain, *self._encoded, *self._taken):
            each.clear()


def _encoded(rows: Sequence[Row], encode: Encode) -> tuple[bytes, int]:
    """Return rows as a list in msgpack, and how many these are."""
    try:
        return encode(rows), len(rows)
    except Exception:
        intact = [row for row in rows if _can_be_encoded(row, encode)]
        return encode(intact), len(intact)


def _can_be_encoded(row: Row, encode: Encode) -> bool:
    try:
        encode(row)
    except Exception:
        logger.exception("The row of task %s is missing in the event log: %r", row[0], row)
        return False
    return True
