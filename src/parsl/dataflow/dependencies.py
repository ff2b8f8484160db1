"""The futures in a task's arguments."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from parsl.data_provider.files import File
from parsl.dataflow.data_future import DataFuture
from parsl.dataflow.dependency_resolvers import SHALLOW_DEPENDENCY_RESOLVER
from parsl.dataflow.futures import AppFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from parsl.dataflow.dependency_resolvers import DependencyResolver
    from parsl.dataflow.taskrecord import TaskRecord

_FUTURE_OR_FILE = (Future, File)


class Dependencies:
    """Finds the futures in arguments, and replaces them by their results.

    Args:
        resolver: How to look into an argument; None for the shallow one.
    """

    def __init__(self, resolver: DependencyResolver | None) -> None:
        self.resolver = resolver or SHALLOW_DEPENDENCY_RESOLVER
        self._is_shallow = self.resolver is SHALLOW_DEPENDENCY_RESOLVER

    def gather(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Future[Any]] | None:
        """Return the futures in the arguments of a call, None if there are none.

        Raises:
            NotImplementedError: An argument is a file on another machine.
        """
        found: list[Future[Any]] = []
        if self._is_shallow:
            # Nearly all arguments of nearly all tasks pass here and are neither; so it is done in place.
            for value in args:
                if isinstance(value, _FUTURE_OR_FILE):
                    _add(found, value)
            if kwargs:
                for value in kwargs.values():
                    if isinstance(value, _FUTURE_OR_FILE):
                        _add(found, value)
                if "inputs" in kwargs:
                    for value in kwargs["inputs"] or ():
                        if isinstance(value, _FUTURE_OR_FILE):
                            _add(found, value)
        else:
            values = (value for name, value in kwargs.items() if name != "inputs")
            for value in (*args, *values, *(kwargs.get("inputs") or ())):
                if isinstance(value, File):
                    refuse_remote(value)
                found.extend(self.resolver.traverse_to_gather(value))
        return found or None

    def unwrap(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Iterable[Any], dict[str, Any]]:
        """Return the arguments with results in the place of futures, all of which are done."""
        unwrap = self.resolver.traverse_to_unwrap
        unwrapped = {name: unwrap(value) for name, value in kwargs.items() if name != "inputs"}
        if "inputs" in kwargs:
            unwrapped["inputs"] = [unwrap(value) for value in kwargs["inputs"] or ()]
        return [unwrap(value) for value in args], unwrapped

    def __repr__(self) -> str:
        return f"<{type(self).__name__} by {self.resolver!r}>"


def _add(found: list[Future[Any]], value: Future[Any] | File) -> None:
    if isinstance(value, File):
        refuse_remote(value)
    else:
        found.append(value)


def refuse_remote(file: File) -> None:
    """Refuse a file that would have to be staged.

    Raises:
        NotImplementedError: It is on another machine.
    """
    if file.scheme != "file" and file.local_path is None:
        raise NotImplementedError(
            f"{file.url!r} is a remote file (scheme {file.scheme!r}), and staging of remote files is not "
            "available in this version yet. Fetch it first, and pass a File with a local path"
        )


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
