"""The results of earlier runs, on disk until they are wanted."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Mapping
from logging import getLogger

from parsl.dataflow.checkpoints import records as checkpoint_records
from parsl.dataflow.checkpoints import upstream as upstream_records
from parsl.dataflow.checkpoints.index import RecordIndex
from parsl.vocabulary.dataflow_errors import BadCheckpoint
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from typing import Any, BinaryIO

logger = getLogger(__name__)

#: The name of the file in a checkpoint directory.
FILE_NAME = "tasks.pkl"

#: So many files are kept open; there may be one for each earlier run.
_MAX_OPEN = 32


class LoadedCheckpoints(Mapping[str, "Future[Any]"]):
    """Finds results by the hash of their call in any number of checkpoint files.

    Only where each record is, is in memory; see :class:`RecordIndex`. Any thread may call it.

    Args:
        paths: Checkpoint directories, or files.
        skip_missing: Whether a directory without a file is nothing to complain of.

    Raises:
        BadCheckpoint: A path is missing, or is no checkpoint.
    """

    def __init__(self, paths: Sequence[str], *, skip_missing: bool = False) -> None:
        self._files = _OpenFiles()
        self._ours: RecordIndex | None = None
        self._upstreams: RecordIndex | None = None
        for path in paths:
            file = _file_of(path)
            if file is None:
                if skip_missing:
                    continue
                raise BadCheckpoint(
                    f"Checkpoint file was not found: there is no {os.path.join(path, FILE_NAME)}. "
                    "checkpoint_files takes the directories that parsl.utils.get_all_checkpoints(run_dir) "
                    "returns"
                )
            self._load(file)

    @property
    def has_upstreams(self) -> bool:
        """Whether there are records of upstream's, which know functions by name only."""
        return self._upstreams is not None

    def _load(self, path: str) -> None:
        number = self._files.add(path)
        try:
            with open(path, "rb") as stream:
                scan, index = self._kind_of(stream)
                count = 0 if index is None else index.add(number, scan)
        except BadCheckpoint as error:
            raise BadCheckpoint(f"Failed to load checkpoint {path}: {error.reason}") from error
        except OSError as error:
            raise BadCheckpoint(f"Failed to load checkpoint {path}: {error}") from error
        if scan.damaged_bytes:
            logger.warning(
                "Checkpoint %s has %d records and, besides, %d bytes that are no whole record: what was "
                "being written when its run was killed, or the disk was full. Those tasks will run again",
                path, count, scan.damaged_bytes,
            )  # fmt: skip
        else:
            logger.info("Checkpoint %s has %d records", path, count)

    def _kind_of(
        self, stream: BinaryIO
    ) -> tuple[checkpoint_records.Scan | upstream_records.UpstreamScan, RecordIndex | None]:
        start = stream.read(len(checkpoint_records.SIGNATURE))
        stream.seek(0)
        if not start:
            return checkpoint_records.Scan(stream), None
        # One of ours that was cut off within its first bytes begins like a pickle, and counts as damaged.
        if not checkpoint_records.SIGNATURE.startswith(start) and not start.startswith(b"\0"):
            self._upstreams = self._upstreams or RecordIndex()
            return upstream_records.UpstreamScan(stream), self._upstreams
        self._ours = self._ours or RecordIndex()
        return checkpoint_records.Scan(stream), self._ours

    def find_pickle(self, hashsum: str) -> bytes | None:
        """Return the pickled record of a call, if there is a whole one."""
        place = None if self._ours is None else self._ours.find(bytes.fromhex(hashsum))
        if place is None:
            return None
        number, position = place
        try:
            body: bytes | None = self._files.call(
                number, checkpoint_records.read_record, position, bytes.fromhex(hashsum)
            )
        except (OSError, BadCheckpoint) as error:
            self._say_unreadable(hashsum, error, self._files.paths[number])
            return None
        if body is None:
            self._say_unreadable(hashsum, ValueError("it is damaged"), self._files.paths[number])
        return body

    def find_upstreams(self, hashsum: str) -> LeanFuture[Any] | None:
        """Return the result of a call in upstream's records, whose hash is by the function's name."""
        place = None if self._upstreams is None else self._upstreams.find(bytes.fromhex(hashsum))
        if place is None:
            return None
        number, position = place
        try:
            with open(self._files.paths[number], "rb") as stream:
                return _done(upstream_records.read_upstream_record(stream, position))
        except Exception as error:
            self._say_unreadable(hashsum, error, self._files.paths[number])
            return None

    def load_result(self, hashsum: str, body: bytes) -> LeanFuture[Any] | None:
        """Unpickle what :meth:`find_pickle` has found; None, and a warning, if that does not work."""
        try:
            return _done(pickle.loads(body)["result"])
        except Exception as error:
            self._say_unreadable(hashsum, error, "a checkpoint")
            return None

    def _say_unreadable(self, hashsum: str, error: Exception, where: str) -> None:
        logger.warning(
            "The result of call %s in %s cannot be read, so the task runs again: %s: %s",
            hashsum, where, type(error).__name__, error,
        )  # fmt: skip

    # As a mapping from hashes to futures

    def __getitem__(self, hashsum: str) -> LeanFuture[Any]:
        body = self.find_pickle(hashsum)
        future = self.find_upstreams(hashsum) if body is None else self.load_result(hashsum, body)
        if future is None:
            raise KeyError(hashsum)
        return future

    def __iter__(self) -> Iterator[str]:
        for number, path in enumerate(self._files.paths):
            with open(path, "rb") as stream:
                scan, index = self._kind_of(stream)
                for key, position in scan:
                    if index is not None and index.find(key) == (number, position):
                        yield key.hex()

    def __len__(self) -> int:
        return sum(len(index) for index in (self._ours, self._upstreams) if index is not None)

    def close(self) -> None:
        """Close the files."""
        self._files.close()
        for index in (self._ours, self._upstreams):
            if index is not None:
                index.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} results in {len(self._files.paths)} files>"


class _OpenFiles:
    """Files by their numbers, a few of them open."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._open: dict[int, BinaryIO] = {}
        self._lock = threading.Lock()

    def add(self, path: str) -> int:
        self.paths.append(path)
        return len(self.paths) - 1

    def call(self, number: int, function: Callable[..., Any], *args: Any) -> Any:
        """Call ``function(file, *args)`` with an open file."""
        with self._lock:
            stream = self._open.get(number)
            if stream is None:
                while len(self._open) >= _MAX_OPEN:
                    self._open.pop(next(iter(self._open))).close()
                stream = self._open[number] = open(self.paths[number], "rb", buffering=0)  # noqa: SIM115
            return function(stream, *args)

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _file_of(path: str) -> str | None:
    """Return the file of a checkpoint that is given as its directory, as its run's directory, or itself."""
    candidates = (os.path.join(path, FILE_NAME), os.path.join(path, "checkpoint", FILE_NAME), path)
    return next((each for each in candidates if os.path.isfile(each)), None)


def _done(result: Any) -> LeanFuture[Any]:
    future: LeanFuture[Any] = LeanFuture()
    future.set_result(result)
    return future
