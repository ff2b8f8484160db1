"""The futures that a task waits for: those in its arguments, and those that a join app returns."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from parsl.dataflow.dependency_resolvers import (
    DEEP_DEPENDENCY_RESOLVER,
    SHALLOW_DEPENDENCY_RESOLVER,
    DependencyResolver,
)
from parsl.dataflow.futures import AppFuture
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.dataflow_errors import DataFlowException, shortened
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

_FUTURE_OR_FILE = (Future, File)
_FILES = (File, DataFuture)

#: The number of unfinished tasks that a search of the graph visits at most.
_MAX_VISITED = 1000


class Dependencies:
    """Finds the futures in arguments, and replaces them by their results."""

    def __init__(self, resolver: DependencyResolver | None) -> None:
        self.resolver = resolver or SHALLOW_DEPENDENCY_RESOLVER
        self._is_shallow = self.resolver is SHALLOW_DEPENDENCY_RESOLVER
        #: Whether results that are kept elsewhere can be in the place of their futures, unopened.
        self.hands_on_kept = self._is_shallow or self.resolver is DEEP_DEPENDENCY_RESOLVER

    def gather(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Future[Any]] | None, list[File | DataFuture] | None]:
        """Return the futures in the arguments of a call, and the files, including those that are futures.

        None stands for no futures, or no files.
        """
        found: list[Future[Any]] = []
        files: list[File | DataFuture] | None = None
        if kwargs:
            inputs = kwargs.get("inputs")
            others = {**kwargs, "inputs": None} if inputs else kwargs
            args = [*args, *others.values(), *(inputs or ())]
        for value in args:  # nearly all arguments of nearly all tasks are neither
            if issubclass(type(value), _FUTURE_OR_FILE):  # isinstance makes a lazy object fetch its target
                if not isinstance(value, File):
                    found.append(value)
                if isinstance(value, _FILES):
                    files = files or []
                    files.append(value)
        if not self._is_shallow:
            found = [future for value in args for future in self.resolver.traverse_to_gather(value)]
        return found or None, files

    def unwrap(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments with results in the place of futures, all of which are done."""
        unwrap = self.resolver.traverse_to_unwrap
        unwrapped = {name: unwrap(value) for name, value in kwargs.items() if name != "inputs"}
        if "inputs" in kwargs:
            unwrapped["inputs"] = [unwrap(value) for value in kwargs["inputs"] or ()]
        return [unwrap(value) for value in args], unwrapped

    def __repr__(self) -> str:
        return f"<{type(self).__name__} by {self.resolver!r}>"


def failures_of(futures: Iterable[Future[Any]], record: TaskRecord) -> list[tuple[BaseException, str]]:
    """Return the failures among futures that are done, for the task that needs them.

    Each future that failed or was cancelled counts once, with its exception and its description.
    """
    failures: dict[int, tuple[BaseException, str]] = {}
    for future in futures:
        if future.cancelled():
            description = describe_future(future, record)
            failures[id(future)] = (CancelledError(f"{description} was cancelled"), description)
        elif (error := future.exception()) is not None:
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


def joined_futures(app: str, returned: object) -> Sequence[Future[Any]]:
    """Return the futures that a join app has to wait for; TypeError if it has returned something else."""
    if isinstance(returned, Future):
        return [returned]
    if isinstance(returned, list) and all(isinstance(item, Future) for item in returned):
        return returned
    what = f"{shortened(repr(returned), 200)} of type {type(returned)}"
    if isinstance(returned, list):
        index, item = next((i, x) for i, x in enumerate(returned) if not isinstance(x, Future))
        what = f"a list whose item {index} is {shortened(repr(item), 200)} of type {type(item)}"
    raise TypeError(
        f"join_app body must return a Future or list of Futures, got {what} from {app}. "
        "Return the futures of app calls, or use a python_app for a plain value"
    )


def waited_for(futures: Iterable[Future[Any]]) -> Iterator[Future[Any] | None]:
    """Visit some futures and all those that they wait for.

    The last one is None if there are too many to visit all of them.
    """
    to_visit, visited = list(futures), set[int]()
    is_complete = True
    while to_visit:
        future = to_visit.pop()
        yield future
        if isinstance(future, DataFuture):
            to_visit.append(future.parent)  # of a staged file, it is the DataFuture of a transfer
        elif isinstance(future, AppFuture) and not future.done() and id(future.task_record) not in visited:
            if len(visited) >= _MAX_VISITED:
                is_complete = False
                continue
            record = future.task_record
            visited.add(id(record))
            to_visit += record.depends
            joins = record.joins
            to_visit += [joins] if isinstance(joins, Future) else joins or ()
    if not is_complete:
        yield None


def cycle_error(futures: Iterable[Future[Any]], record: TaskRecord) -> DataFlowException | None:
    """Return the error of a join app that waits for futures which wait for it; None if it does not."""
    for future in waited_for(futures):
        if not isinstance(future, AppFuture) or future.done():
            continue
        other = future.task_record
        if other is record:
            return _waits_for_itself(
                record,
                "it returned its own future, or one that depends on it. Return the futures of other calls",
            )
        if record.memoize and record.hashsum is not None and other.hashsum == record.hashsum:
            return _waits_for_itself(
                record,
                "with cache=True, the same call inside the join app is not executed again, but waits for the "
                "first one. Give the inner call other arguments, or leave out cache=True",
            )
    return None


def _waits_for_itself(record: TaskRecord, reason: str) -> DataFlowException:
    return DataFlowException(
        f"Task {record.id} ({record.func_name}) would wait for itself for ever: {reason}"
    )
