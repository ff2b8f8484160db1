"""Reading the checkpoint files that upstream Parsl writes: pickled dicts, one after the other.

A result is unpickled only when a task needs it: the script may define the classes of the results later.
"""

from __future__ import annotations

import pickle

from parsl.vocabulary.dataflow_errors import BadCheckpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, BinaryIO

_FIRST_PROTOCOL, _LAST_PROTOCOL = 2, 5


class UpstreamScan:
    """Finds the whole records in a file that upstream wrote; ``damaged_bytes`` follow the last one."""

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
                self._end_at(at, error)
                return
            yield _key_of(record), at
            at = self._stream.tell()

    def _end_at(self, at: int, error: Exception) -> None:
        self._stream.seek(at)
        start = self._stream.read(2)
        if start and at == 0 and not _begins_a_pickle(start):
            raise BadCheckpoint(f"it is not a checkpoint file: it begins with {start!r}") from error
        self.damaged_bytes = self._stream.seek(0, 2) - at


def read_upstream_record(stream: BinaryIO, position: int) -> Any:
    """Unpickle the result in a record, which may fail because its class is gone."""
    stream.seek(position)
    return pickle.load(stream)["result"]


def _begins_a_pickle(start: bytes) -> bool:
    return start[:1] == b"\x80" and all(_FIRST_PROTOCOL <= byte <= _LAST_PROTOCOL for byte in start[1:2])


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


def _ignore(self: object, *args: Any, **kwargs: Any) -> None:
    pass


class _Anything:
    """Stands for any object of a pickle; every operation of unpickling works and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Anything:
        return object.__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> _Anything:
        return self

    __init__ = __setstate__ = __setitem__ = append = extend = add = _ignore
