"""The futures in a task's arguments."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from parsl.dataflow.dependency_resolvers import SHALLOW_DEPENDENCY_RESOLVER
from parsl.dataflow.futures import AppFuture
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from parsl.dataflow.dependency_resolvers import DependencyResolver
    from parsl.dataflow.taskrecord import TaskRecord

_FUTURE_OR_FILE = (Future, File)
_FILES = (File, DataFuture)


class Dependencies:
    """Finds the futures in arguments, and replaces them by their results.

    Args:
        resolver: How to look into an argument; None for the shallow one.
    """

    def __init__(self, resolver: DependencyResolver | None) -> None:
        self.resolver = resolver or SHALLOW_DEPENDENCY_RESOLVER
        self._is_shallow = self.resolver is SHALLOW_DEPENDENCY_RESOLVER

    def gather(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Future[Any]] | None, list[File | DataFuture] | None]:
        """Return the futures in the arguments of a call, and the files, those that are futures included.

        Returns:
            Futures and files; None where there are none.
        """
        found: list[Future[Any]] = []
        files: list[File | DataFuture] | None = None
        if self._is_shallow:
            # Nearly all arguments of nearly all tasks pass here and are neither; so it is done in place.
            # Not isinstance: it makes a lazy object fetch what it stands for.
            for value in args:
                if issubclass(type(value), _FUTURE_OR_FILE):
                    files = _add(found, files, value)
            if kwargs:
                for value in kwargs.values():
                    if issubclass(type(value), _FUTURE_OR_FILE):
                        files = _add(found, files, value)
                if "inputs" in kwargs:
                    for value in kwargs["inputs"] or ():
                        if issubclass(type(value), _FUTURE_OR_FILE):
                            files = _add(found, files, value)
        else:
            values = (value for name, value in kwargs.items() if name != "inputs")
            for value in (*args, *values, *(kwargs.get("inputs") or ())):
                if issubclass(type(value), _FILES):
                    files = files or []
                    files.append(value)
                found.extend(self.resolver.traverse_to_gather(value))
        return found or None, files

    def unwrap(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Iterable[Any], dict[str, Any]]:
        """Return the arguments with results in the place of futures, all of which are done."""
        unwrap = self.resolver.traverse_to_unwrap
        unwrapped = {name: unwrap(value) for name, value in kwargs.items() if name != "inputs"}
        if "inputs" in kwargs:
            unwrapped["inputs"] = [unwrap(value) for value in kwargs["inputs"] or ()]
        return [unwrap(value) for value in args], unwrapped

    def __repr__(self) -> str:
        return f"<{type(self).__name__} by {self.resolver!r}>"


def _add(
    found: list[Future[Any]], files: list[File | DataFuture] | None, value: Future[Any] | File
) -> list[File | DataFuture] | None:
    if not isinstance(value, File):
        found.append(value)
    if isinstance(value, _FILES):
        files = files or []
        files.append(value)
    return files


def failures_of(futures: Iterable[Future[Any]], record: TaskRecord) -> list[tuple[BaseException, str]]:
    """Return what went wrong with some futures, all of which are done.

    Args:
        futures: The futures.
        record: The task that needs them.

    Returns:
        For each that failed or was cancelled, once: its exception and its description.
    """
    failures: dict[int, tuple[BaseException, str]] = {}
    for future in futures:
        if future.cancelled():
            description = describe_future(future, record)
            failures[id(future)] = (CancelledError(f"{description} was cancelled"), description)
            continue
        error = future.exception()
        if error is not None:
            failures[id(future)] = (error, describe_future(future, record))
    return list(failures.values())


def describe_future(future: Future[Any], record: TaskRecord | None = None) -> str:
    """Name a future in an error message, for the task that needs it."""
    if isinstance(future, AppFuture):
        if record is None or future.task_record.dfk is record.dfk:
            return f"task {future.tid}"
        return f"task {future.tid} of another kernel"
    if isinstance(future, DataFuture):
        return f"file {future.file_obj.url} of task {future.tid}"
    return repr(future)
