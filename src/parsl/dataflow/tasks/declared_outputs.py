"""The files that unfinished tasks write: two tasks must not write the same file at a time."""

from __future__ import annotations

import os
from logging import getLogger
from weakref import WeakValueDictionary

from parsl.common.notices import warn_user
from parsl.dataflow.dependencies import waited_for
from parsl.dataflow.futures import AppFuture
from parsl.validate import ParameterValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

logger = getLogger(__name__)


class SharedOutputWarning(UserWarning):
    """Two tasks write the same file, and no dependency determines which of them writes first."""


class DeclaredOutputs:
    """Notes the files that unfinished tasks write. Any thread may call it."""

    def __init__(self) -> None:
        self._futures: WeakValueDictionary[str, DataFuture] = WeakValueDictionary()
        self._has_warned = False

    def add(self, file: File, future: DataFuture) -> None:
        self._futures[_identity(file)] = future

    def check(self, record: TaskRecord, outputs: Sequence[File], depends: Iterable[Future[Any]]) -> None:
        """Refuse a file that a call declares twice, and warn of those that other unfinished tasks write.

        There is no warning if the final content does not depend on chance: if one task depends on the other,
        if memoization may take the calls for the same one, or if the other task is a join app, which
        may pass its outputs on.
        """
        seen: set[str] = set()
        for file in outputs:
            identity = _identity(file)
            if identity in seen:
                raise ParameterValueError(
                    f"app {record.func_name}: outputs has the file {file.url!r} twice; give each file once"
                )
            seen.add(identity)
            earlier = self._futures.get(identity)
            if earlier is not None and not earlier.done() and _is_rival(record, earlier, depends):
                self._warn(record, file, earlier)

    def _warn(self, record: TaskRecord, file: File, earlier: DataFuture) -> None:
        text = (
            f"Task {record.id} ({record.func_name}) declares the output {file.url}, which the unfinished "
            f"task {earlier.tid} writes, too. Neither depends on the other, so the final content of the file "
            "is a matter of chance: give each task a file of its own, or pass the earlier future to the "
            "later task"
        )
        logger.warning("%s", text)
        if not self._has_warned:
            self._has_warned = True
            once = f"{text}. (This warning appears once; the log contains all of them.)"
            warn_user(once, SharedOutputWarning, in_call=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._futures)} files>"


def _identity(file: File) -> str:
    """Return a name that is equal for the same file. Links are not followed, because that takes too long."""
    return os.path.abspath(file.path) if file.scheme == "file" else file.url


def _is_rival(record: TaskRecord, earlier: DataFuture, depends: Iterable[Future[Any]]) -> bool:
    other = record.dfk.tasks.get(earlier.tid)
    if other is not None and (other.join or (record.memoize and other.memoize)):
        return False
    return not any(_is_writer(future, earlier, record) for future in waited_for(depends))


def _is_writer(future: Future[Any] | None, earlier: DataFuture, record: TaskRecord) -> bool:
    """Whether a future is done only after the earlier writer of a file; None if that is unknown."""
    # The earlier task may be done while a transfer still stages its file out.
    if future is None or future is earlier or future is earlier.parent:
        return True
    return (
        isinstance(future, AppFuture)
        and not future.done()
        and future.task_record.dfk is record.dfk
        and future.tid == earlier.tid
    )
