"""The rows of tasks in the event log, from the end of the tasks until the log's thread writes them.

Most tasks end well, at their first attempt. Their rows are packed at once, into bytes of one size: that takes
the least time, and leaves nothing that Python's garbage collector visits. The others are encoded together,
which takes half the time.
"""

from __future__ import annotations

from collections import Counter, deque
from logging import getLogger
from struct import Struct
from threading import Lock

from parsl.vocabulary.run_observer import USAGE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Row = tuple[Any, ...]
    Encode = Callable[[Any], bytes]
    #: The numbers of an app and of an executor.
    AppAndExecutor = tuple[int, int]

logger = getLogger(__name__)

#: How many rows are encoded, or joined, together at most.
BATCH = 1024
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

_PLAIN = Struct(f"<qddd{USAGE_BYTES}s")
#: Packs a plain row, of a task's number, `invoked_s`, `launched_s`, `returned_s` and its attempt's usage.
pack_plain = _PLAIN.pack
PLAIN_BYTES = _PLAIN.size


class _Memory:
    """Memory for bytes one after the other, which is used again.

    New memory costs a page fault for each 4 KB, which takes as long as a dozen rows. Its owner knows how much
    of it counts: after an interrupt, that is not what was put there last.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()

    def put(self, begin: int, data: bytes | memoryview) -> int:
        """Put bytes at a place behind those that count; return their end."""
        end = begin + len(data)
        if end > len(self._bytes):  # a new one: a view of the old one may be left somewhere
            larger = bytearray(max(_FIRST_BYTES, end + len(self._bytes)))
            larger[:begin] = memoryview(self._bytes)[:begin]
            self._bytes = larger
        self._bytes[begin:end] = data
        return end

    def view(self, end: int) -> memoryview:
        """Return what is there up to a place. Release it before anything is added."""
        return memoryview(self._bytes)[:end]

    def clear(self) -> None:
        if len(self._bytes) > _KEPT_BYTES:
            self._bytes = bytearray()


class PackedRows:
    """Plain rows. Owned by one thread at a time.

    Attributes:
        lost: How many others were too many.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._memory = _Memory()
        #: Where the rows of an app and executor end; the next ones follow.
        self._ends: list[tuple[AppAndExecutor, int]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}>"

    def add(self, owner: AppAndExecutor, rows: Sequence[bytes]) -> None:
        """Add rows of an app and executor."""
        end = self._memory.put(self._size, b"".join(rows))
        if self._ends and self._ends[-1][0] == owner:
            self._ends[-1] = owner, end
        else:
            self._ends.append((owner, end))

    @property
    def number(self) -> int:
        """How many rows these are."""
        return self._size // PLAIN_BYTES

    @property
    def _size(self) -> int:
        return self._ends[-1][1] if self._ends else 0

    def parts(self) -> Iterator[tuple[AppAndExecutor, memoryview]]:
        """Yield the rows in parts of one app and executor. Release each part before anything is added."""
        memory, begin = self._memory.view(self._size), 0
        for owner, end in self._ends:
            for start in range(begin, end, _PART_BYTES):
                yield owner, memory[start : min(end, start + _PART_BYTES)]
            begin = end

    def clear(self) -> None:
        """Remove all rows."""
        self.lost = 0
        self._ends.clear()
        self._memory.clear()


class EncodedRows:
    """The rows of a `Tasks` record, in msgpack. Owned by one thread at a time.

    Attributes:
        number: How many rows these are.
        lost: How many others could not be encoded, or were too many.
        kinds: How many ended tasks are of a kind, see :func:`kind_of`. Those that could not be encoded count.
    """

    def __init__(self) -> None:
        self.number = self.lost = 0
        self.kinds: Counter[int] = Counter()
        self._memory = _Memory()
        #: For each batch, where it ends and how many rows it has.
        self._batches: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}>"

    def add(self, rows: Sequence[Row], encode: Encode) -> None:
        """Add up to 65,535 rows. One that cannot be encoded costs no other; it counts in `lost`."""
        encoded, number = _encoded(rows, encode)
        self.lost += len(rows) - number
        if number:
            body = memoryview(encoded)[3 if encoded[0] == _ARRAY_16 else 1 :]
            end = self._memory.put(self._size, body)
            self._batches.append((end, number))
            self.number += number

    @property
    def _size(self) -> int:
        return self._batches[-1][0] if self._batches else 0

    def add_all(self, rows: Sequence[Row], encode: Encode) -> None:
        """Add any number of rows; see :meth:`add`."""
        for start in range(0, len(rows), BATCH):
            self.add(rows[start : start + BATCH], encode)

    def count(self, rows: Sequence[Row]) -> None:
        """Count rows as ended tasks."""
        self.kinds.update([kind_of(row[1], row[3]) for row in rows])

    def parts(self) -> Iterator[tuple[memoryview, int]]:
        """Yield the rows in parts, and how many these are. Release each part before anything is added."""
        memory = self._memory.view(self._size)
        begin = number = 0
        for end, more in self._batches:
            number += more
            if end - begin >= _PART_BYTES or end == len(memory):
                yield memory[begin:end], number
                begin, number = end, 0

    def clear(self) -> None:
        """Remove all rows."""
        self.number = self.lost = 0
        self.kinds.clear()
        self._batches.clear()
        self._memory.clear()


def kind_of(app: int, state: int) -> int:
    """Return the kind of a task, given the numbers of its app and state. Tuples would be slow to hash."""
    return app << _STATE_BITS | state


def app_and_state(kind: int) -> tuple[int, int]:
    """Return the numbers of the app and of the state, given a kind."""
    return kind >> _STATE_BITS, kind & _STATE_MASK


class PlainQueue:
    """Takes the plain rows of one app and executor."""

    __slots__ = ("add", "func", "label")

    def __init__(self, func: Callable[..., Any] | None, label: str, add: Callable[[bytes], None]) -> None:
        self.func = func
        self.label = label
        self.add = add

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.func} on {self.label}>"


#: Of no app.
NO_QUEUE = PlainQueue(None, "", lambda row: None)


class EndedRows:
    """The rows of ended tasks that are not yet in the log. Any thread may use them, and one takes them.

    Args:
        max_waiting: How many rows wait at most; likewise plain ones, which are only counted by :meth:`encode`
            and :meth:`take`. More are dropped.

    Attributes:
        add: Call it with the row of a task that has ended: the fields of a `TaskRow`. Call :meth:`encode`
            after some hundred of these and of plain ones.
        may_lack_rows: Whether rows may have been dropped that `lost` does not count.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._rows: deque[Row] = deque(maxlen=max_waiting)
        self.add = self._rows.append
        self._plain: dict[AppAndExecutor, list[bytes]] = {}
        self.may_lack_rows = False
        self._encoded = PackedRows(), EncodedRows()
        #: What was taken last: its memory is used again.
        self._taken = PackedRows(), EncodedRows()
        self._encode: Encode | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        (packed, encoded), plain = self._encoded, sum(map(len, self._plain.values()))
        return f"<{type(self).__name__} {packed.number}+{plain}, {encoded.number}+{len(self._rows)}>"

    def plain_of(self, app: int, executor: int) -> Callable[[bytes], None]:
        """Return what to call with the row of a plain task of an app and executor: see `pack_plain`."""
        return self._plain.setdefault((app, executor), []).append

    def encode_with(self, encode: Encode) -> None:
        """Encode rows with a function from now on. Before, rows wait: its module takes long to import."""
        self._encode = encode

    def encode(self) -> None:
        """Encode the rows that wait, if that is possible yet.

        Rows go on waiting if that is being done already, perhaps by the code that a signal handler has
        interrupted.
        """
        lock = self._lock
        if lock.acquire(blocking=False):
            try:
                self._encode_all()
            finally:
                lock.release()
        else:
            self._drop_too_many()

    def _encode_all(self) -> None:
        packed, encoded = self._encoded
        try:
            for owner, waiting in list(self._plain.items()):
                if not waiting:  # as for most of many apps
                    continue
                for plain in self._removed(waiting, packed):
                    packed.add(owner, plain)
            if self._encode is None:
                return
            if len(self._rows) == self._max_waiting:
                self.may_lack_rows = True
            for rows in self._removed(self._rows, encoded):
                encoded.add(rows, self._encode)
                encoded.count(rows)
        except BaseException:  # an interrupt, perhaps, which costs the rows of a batch
            self.may_lack_rows = True
            raise

    def _removed(self, waiting: Any, rows: PackedRows | EncodedRows) -> Iterator[Sequence[Any]]:
        """Remove what waits now, and yield it in parts. If there are too many rows already, it is lost."""
        for _ in range(0, len(waiting), BATCH):
            taken = take_oldest(waiting, BATCH)
            if rows.number < self._max_waiting:
                yield taken
            else:
                rows.lost += len(taken)

    def _drop_too_many(self) -> None:
        for waiting in list(self._plain.values()):
            if len(waiting) > self._max_waiting:
                self.may_lack_rows = True
                waiting.clear()

    def take(self) -> tuple[PackedRows, EncodedRows]:
        """Remove everything: plain rows and others. They are valid until the next call.

        Nothing if another call takes too long. It was interrupted, perhaps by the signal handler that is the
        caller, or before it could release the lock: the next call has another one.
        """
        lock = self._lock
        if not lock.acquire(timeout=_PATIENCE_S):
            self._lock = Lock()
            self.may_lack_rows = True
            return PackedRows(), EncodedRows()
        try:
            for each in self._taken:
                each.clear()
            self._encode_all()
            self._encoded, self._taken = self._taken, self._encoded
            return self._taken
        finally:
            lock.release()

    def clear(self) -> None:
        """Forget everything, in a forked child: another thread of the parent may have the lock."""
        self._lock = Lock()
        self._rows.clear()
        for waiting in self._plain.values():
            waiting.clear()
        for each in (*self._encoded, *self._taken):
            each.clear()


def take_oldest(waiting: list[Any] | deque[Any], number: int) -> list[Any]:
    """Remove the oldest of what waits; other threads may append meanwhile, or the queue drop its oldest."""
    if isinstance(waiting, list):
        taken = waiting[:number]
        del waiting[: len(taken)]
        return taken
    return [waiting.popleft() for _ in range(min(number, len(waiting)))]


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
