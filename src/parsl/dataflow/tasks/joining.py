"""What a join app returns: futures, whose results take the place of its own."""

from __future__ import annotations

from concurrent.futures import Future

from parsl.dataflow.futures import AppFuture
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.dataflow_errors import DataFlowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: How many unfinished tasks are looked at for what they wait for, at the end of a join app's function.
_MAX_EXPANDED = 1000


def joined_futures(app: str, returned: object) -> Sequence[Future[Any]]:
    """Return the futures to wait for.

    Args:
        app: The join app, for the error.
        returned: What its function has returned.

    Raises:
        TypeError: A join app returned something else.
    """
    if isinstance(returned, Future):
        return [returned]
    if isinstance(returned, list) and all(isinstance(item, Future) for item in returned):
        return returned
    what = f"{_shortened(repr(returned))} of type {type(returned)}"
    if isinstance(returned, list):
        index, item = next((i, x) for i, x in enumerate(returned) if not isinstance(x, Future))
        what = f"a list whose item {index} is {_shortened(repr(item))} of type {type(item)}"
    raise TypeError(
        f"join_app body must return a Future or list of Futures, got {what} from {app}. "
        "Return what app calls give you, or use a python_app for a plain value"
    )


def joined_result(joins: Future[Any] | list[Future[Any]]) -> Any:
    """Return the result of a join app, once all that it waits for has succeeded."""
    if isinstance(joins, Future):
        return joins.result()
    return [future.result() for future in joins]


def cycle_error(futures: Iterable[Future[Any]], record: TaskRecord) -> DataFlowException | None:
    """Return the error of a join app that waits for futures which in turn wait for it; None if it does not.

    Args:
        futures: What it has returned.
        record: Its task.
    """
    to_visit, expanded = list(futures), set[int]()
    while to_visit:
        future = to_visit.pop()
        if isinstance(future, DataFuture):
            future = future.parent
        if not isinstance(future, AppFuture) or future.done():
            continue
        other = future.task_record
        if other is record:
            return _waits_for_itself(
                record,
                "what it returned is its own future, or depends on it. Return what other calls give you",
            )
        if record.memoize and record.hashsum is not None and other.hashsum == record.hashsum:
            return _waits_for_itself(
                record,
                "with cache=True, the same call inside the join app is not made a second time, but waits for "
                "the first. Give the inner call other arguments, or leave out cache=True",
            )
        if id(other) not in expanded and len(expanded) < _MAX_EXPANDED:
            expanded.add(id(other))
            to_visit += other.depends
            joins = other.joins
            to_visit += [joins] if isinstance(joins, Future) else joins or ()
    return None


def _waits_for_itself(record: TaskRecord, reason: str) -> DataFlowException:
    return DataFlowException(
        f"Task {record.id} ({record.func_name}) would wait for itself for ever: {reason}"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
