"""The results of earlier runs, which stay on disk until they are needed."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Mapping
from logging import getLogger

from parsl.dataflow.checkpoints.file import FILE_NAME
from parsl.dataflow.checkpoints.records import SIGNATURE, Scan, is_signature, read_record
from parsl.vocabulary.dataflow_errors import BadCheckpoint
from parsl.vocabulary.lean_future import LeanFuture, done_future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from typing import Any, BinaryIO

logger = getLogger(__name__)

#: The number of files that are kept open. There may be one file for each earlier run.
_MAX_OPEN = 32
#: What the index keeps in memory (KiB); the rest is in a temporary file.
_CACHE_KIB = 32 << 10
#: A place is the number of a file above these bits, and a position in the file below them.
_POSITION_BITS = 44


class LoadedCheckpoints(Mapping[str, "Future[Any]"]):
    """Finds results by the hash of their call in any number of checkpoint files.

    Only the place of each record is in memory; see :class:`RecordIndex`. Any thread may call it.

    Args:
        paths: Checkpoint directories, or files. BadCheckpoint is raised for any other path.
        skip_missing: Whether to accept a directory without a file.
    """

    def __init__(self, paths: Sequence[str], *, skip_missing: bool = False) -> None:
        self._files = _OpenFiles()
        self._ours: RecordIndex | None = None
        self._upstreams: RecordIndex | None = None
        for path in paths:
            file = _file_of(path)
            if file is not None:
                self._load(file)
            elif not skip_missing:
                raise BadCheckpoint(
                    f"Checkpoint file was not found: there is no {os.path.join(path, FILE_NAME)}. "
                    "checkpoint_files takes the directories that parsl.utils.get_all_checkpoints(run_dir) "
                    "returns"
                )

    @property
    def has_upstreams(self) -> bool:
        """Whether there are records of upstream Parsl, which identifies functions by name only."""
        return self._upstreams is not None

    def _load(self, path: str) -> None:
        number = self._files.add(path)
        try:
            with open(path, "rb") as stream:
                scan, index = self._scan(stream)
                count = 0 if index is None else index.add(number, scan)
        except BadCheckpoint as error:
            raise BadCheckpoint(f"Failed to load checkpoint {path}: {error.reason}") from error
        except OSError as error:
            raise BadCheckpoint(f"Failed to load checkpoint {path}: {error}") from error
        if scan.damaged_bytes:
            logger.warning(
                "Checkpoint %s has %d records, and %d bytes that are not a complete record: its run was "
                "killed while it wrote them, or the disk was full. Those tasks will run again",
                path, count, scan.damaged_bytes,
            )  # fmt: skip
        else:
            logger.info("Checkpoint %s has %d records", path, count)

    def _scan(self, stream: BinaryIO) -> tuple[Scan | UpstreamScan, RecordIndex | None]:
        start = stream.read(len(SIGNATURE))
        stream.seek(0)
        if not start:
            return Scan(stream), None
        if not is_signature(start) and not start.startswith(b"\0"):
            self._upstreams = self._upstreams or RecordIndex()
            return UpstreamScan(stream), self._upstreams
        self._ours = self._ours or RecordIndex()
        return Scan(stream), self._ours

    def find(self, hashsum: str) -> tuple[LeanFuture[Any], bytes] | None:
        """Return the result of a call and its pickled record, if there is a whole one."""
        key = bytes.fromhex(hashsum)
        place = None if self._ours is None else self._ours.find(key)
        if place is None:
            return None
        number, position = place
        try:
            body = self._files.read(number, position, key)
            if body is None:
                raise ValueError("the record is damaged")
            return done_future(pickle.loads(body)["result"]), body
        except Exception as error:
            _warn_unreadable(hashsum, error, self._files.paths[number])
            return None

    def find_upstreams(self, hashsum: str) -> LeanFuture[Any] | None:
        """Return the result of a call from upstream's records, whose hash is by the function's name."""
        place = None if self._upstreams is None else self._upstreams.find(bytes.fromhex(hashsum))
        if place is None:
            return None
        number, position = place
        try:
            with open(self._files.paths[number], "rb") as stream:
                return done_future(read_upstream_record(stream, position))
        except Exception as error:
            _warn_unreadable(hashsum, error, self._files.paths[number])
            return None

    def __getitem__(self, hashsum: str) -> LeanFuture[Any]:
        found = self.find(hashsum)
        future = self.find_upstreams(hashsum) if found is None else found[0]
        if future is None:
            raise KeyError(hashsum)
        return future

    def __iter__(self) -> Iterator[str]:
        for number, path in enumerate(self._files.paths):
            with open(path, "rb") as stream:
                scan, index = self._scan(stream)
                for key, position in scan:
                    if index is not None and index.find(key) == (number, position):
                        yield key.hex()

    def __len__(self) -> int:
        return sum(len(index) for index in (self._ours, self._upstreams) if index is not None)

    def close(self) -> None:
        self._files.close()
        for index in (self._ours, self._upstreams):
            if index is not None:
                index.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} results in {len(self._files.paths)} files>"


class RecordIndex:
    """Maps each key to a file and a position, for any number of records in little memory.

    The index is a private SQLite database that ends with the process, so no other process locks it. Any
    thread may call it. Of two records with the same key, the one that was added later counts. The index
    keeps only 8 of the 16 bytes of a key; readers of a record compare the others.
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
        """Add the keys and positions of a file's records. Returns their number."""
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
        query = "SELECT place FROM records WHERE key = ?"
        with self._lock:
            row = self._database.execute(query, (_short(key),)).fetchone()
        return None if row is None else (row[0] >> _POSITION_BITS, row[0] & ((1 << _POSITION_BITS) - 1))

    def __len__(self) -> int:
        with self._lock:
            count: int = self._database.execute("SELECT count(*) FROM records").fetchone()[0]
            return count

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} records>"


class _OpenFiles:
    """Files by number. The ones that were opened last stay open."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._open: dict[int, BinaryIO] = {}
        self._lock = threading.Lock()

    def add(self, path: str) -> int:
        self.paths.append(path)
        return len(self.paths) - 1

    def read(self, number: int, position: int, key: bytes) -> bytes | None:
        """Return the pickle of a record of a file; None if the record is damaged."""
        with self._lock:
            stream = self._open.get(number)
            if stream is None:
                while len(self._open) >= _MAX_OPEN:
                    self._open.pop(next(iter(self._open))).close()
                stream = self._open[number] = open(self.paths[number], "rb", buffering=0)  # noqa: SIM115
            return read_record(stream, position, key)

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _file_of(path: str) -> str | None:
    """Return the file of a checkpoint, given as its directory, its run's directory, or the file itself."""
    candidates = (os.path.join(path, FILE_NAME), os.path.join(path, "checkpoint", FILE_NAME), path)
    return next((each for each in candidates if os.path.isfile(each)), None)


def _warn_unreadable(hashsum: str, error: Exception, where: str) -> None:
    logger.warning(
        "The result of call %s in %s cannot be read, so the task runs again: %s: %s",
        hashsum, where, type(error).__name__, error,
    )  # fmt: skip


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8], "big", signed=True)


class UpstreamScan:
    """Finds the whole records in a file that upstream Parsl wrote: pickled dicts, one after the other.

    ``damaged_bytes`` follow the last one. A result is unpickled only when a task needs it: the script may
    define the classes of the results later.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.damaged_bytes = 0

    def __iter__(self) -> Generator[tuple[bytes, int], None, None]:
        """Yield the key and the position of each record. BadCheckpoint: the file is of another kind."""
        at = 0
        while True:
            try:
                record = _Reader(self._stream).load()
            except Exception as error:
                self._stream.seek(at)
                start = self._stream.read(2)
                # A pickle begins with its protocol, 2 to 5.
                if start and at == 0 and not (start[0] == 0x80 and all(2 <= each <= 5 for each in start[1:])):
                    raise BadCheckpoint(f"it is not a checkpoint file: it begins with {start!r}") from error
                self.damaged_bytes = self._stream.seek(0, 2) - at
                return
            yield _key_of(record), at
            at = self._stream.tell()


def read_upstream_record(stream: BinaryIO, position: int) -> Any:
    """Unpickle the result in a record, which may fail because its class is gone."""
    stream.seek(position)
    return pickle.load(stream)["result"]


def _key_of(record: Any) -> bytes:
    try:
        if record["exception"] is not None or "result" not in record:
            raise ValueError("it has no result")
        key = bytes.fromhex(record["hash"])
        if len(key) != 16:
            raise ValueError("its hash has a wrong length")
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"it is not a checkpoint file: it has a pickled {type(record).__name__} where a record with "
            f"hash, exception and result should be ({error})"
        ) from error
    return key


class _Reader(pickle.Unpickler):
    """Reads a pickle without importing or calling anything that it names."""

    def find_class(self, module: str, name: str) -> Any:
        return _Anything


class _Anything:
    """Stands for any object of a pickle; every operation of unpickling works and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Anything:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def __call__(self, *args: Any, **kwargs: Any) -> _Anything:
        return self

    __setstate__ = __setitem__ = append = extend = add = __call__
