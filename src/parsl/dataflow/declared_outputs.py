"""Which task writes which file: two tasks at a time are one too many."""

from __future__ import annotations

import os
from concurrent.futures import Future
from logging import getLogger
from weakref import WeakValueDictionary

from parsl.common.notices import warn_user
from parsl.dataflow.futures import AppFuture
from parsl.validate import ParameterValueError
from parsl.vocabulary.data_future import DataFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.vocabulary.files import File

logger = getLogger(__name__)

#: How many unfinished tasks are looked at for what they wait for.
_MAX_EXPANDED = 1000


class SharedOutputWarning(UserWarning):
    """Two tasks write the same file, and nothing says which of them is to be the first."""


class DeclaredOutputs:
    """Notes the files that unfinished tasks write. Any thread may call it."""

    def __init__(self) -> None:
        self._futures: WeakValueDictionary[str, DataFuture] = WeakValueDictionary()
        self._has_told = False

    def add(self, file: File, future: DataFuture) -> None:
        """Note that there is a task that writes a file, with the future of the file."""
        self._futures[_identity(file)] = future

    def check(self, record: TaskRecord, outputs: Sequence[File], depends: Iterable[Future[Any]]) -> None:
        """Refuse a file that a call declares twice, and warn of those that other tasks write meanwhile.

        It is no matter of chance what is in a file in the end, and no reason for a warning, if one task
        depends on the other, if the calls may be the same one to memoization, or if the other one is a join
        app, which may hand its outputs on.

        Args:
            record: The task.
            outputs: The files that it writes.
            depends: The futures that it depends on.

        Raises:
            ParameterError: A file is declared twice.
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
                self._tell(record, file, earlier)

    def _tell(self, record: TaskRecord, file: File, earlier: DataFuture) -> None:
        text = (
            f"Task {record.id} ({record.func_name}) declares the output {file.url}, which the unfinished "
            f"task {earlier.tid} writes, too. Neither depends on the other, so what is in it in the end is a "
            "matter of chance: give each task a file of its own, or the later one the earlier one's future"
        )
        logger.warning("%s", text)
        if not self._has_told:
            self._has_told = True
            once = f"{text}. (This is said once; the log has the others, if there are any.)"
            warn_user(once, SharedOutputWarning, in_call=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._futures)} files>"


def _identity(file: File) -> str:
    """What files have in common that are the same one. Links are not followed: that takes too long."""
    return os.path.abspath(file.path) if file.scheme == "file" else file.url


def _is_rival(record: TaskRecord, earlier: DataFuture, depends: Iterable[Future[Any]]) -> bool:
    other = record.dfk.tasks.get(earlier.tid)
    if other is not None and (other.join or (record.memoize and other.memoize)):
        return False
    return not _waits_for(depends, earlier, record)


def _waits_for(depends: Iterable[Future[Any]], earlier: DataFuture, record: TaskRecord) -> bool:
    """Whether one of some futures waits for a file, or for the task that writes it.

    Also if it would take long to find out. That task may be done while its file is still brought out by
    another one.
    """
    to_visit, expanded = list(depends), set[int]()
    while to_visit:
        future = to_visit.pop()
        if future is earlier or future is earlier.parent:
            return True
        if isinstance(future, DataFuture):
            to_visit.append(future.parent)  # of a file that was staged, it is another one of these
            continue
        if not isinstance(future, AppFuture) or future.done() or future.task_record.dfk is not record.dfk:
            continue
        other = future.task_record
        if other.id == earlier.tid or len(expanded) >= _MAX_EXPANDED:
            return True
        if other.id not in expanded:
            expanded.add(other.id)
            to_visit += other.depends
            joins = other.joins
            to_visit += [joins] if isinstance(joins, Future) else joins or ()
    return False
