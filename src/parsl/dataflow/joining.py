"""What a join app returns: futures, whose results take the place of its own."""

from __future__ import annotations

from concurrent.futures import Future

from parsl.dataflow.errors import DataFlowException
from parsl.dataflow.futures import AppFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord


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


def is_same_call(future: Future[Any], record: TaskRecord) -> bool:
    """Whether a future waits, in place of running, for the outcome of this very task."""
    other = future.task_record if isinstance(future, AppFuture) else record
    return (
        other is not record
        and record.hashsum is not None
        and other.hashsum == record.hashsum
        and not future.done()
    )


def waits_for_itself(record: TaskRecord) -> DataFlowException:
    """The error of a join app that has returned what waits for its own outcome."""
    return DataFlowException(
        f"Task {record.id} ({record.func_name}) would wait for itself for ever: with cache=True, the same "
        "call inside the join app is not made a second time, but waits for the first. Give the inner call "
        "other arguments, or leave out cache=True"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
