"""What a failed attempt costs, and whether another one follows."""

from __future__ import annotations

from parsl.dataflow.errors import DataFlowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.dataflow.taskrecord import TaskRecord

    RetryHandler = Callable[[Exception, TaskRecord], float]


def record_failure(record: TaskRecord, error: BaseException, handler: RetryHandler | None) -> None:
    """Note a failed attempt in the task's record, and what it costs.

    Args:
        record: The task.
        error: What its attempt raised.
        handler: Says what that costs; without one it is 1.

    Raises:
        DataFlowException: The handler failed.
    """
    record.fail_count += 1
    record.fail_history = [*record.fail_history, _shown(error)]
    record.fail_cost += 1 if handler is None else _ask(handler, error, record)


def is_worth_another_attempt(record: TaskRecord, retries: float) -> bool:
    """Whether what a task's failures have cost is within the budget."""
    return record.fail_cost <= retries


def _ask(handler: RetryHandler, error: BaseException, record: TaskRecord) -> float:
    try:
        cost = handler(error, record)  # type: ignore[arg-type]
        if cost + 0.0 != cost:
            raise ValueError("not a number")
    except Exception as handler_error:
        raise DataFlowException(
            f"The retry_handler failed with {_shown(handler_error)} when it was asked about {_shown(error)} "
            f"of task {record.id} ({record.func_name}). It has to return the cost of the failure as a number"
        ) from handler_error
    return cost


def _shown(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception as unprintable:
        return f"<{type(error).__name__} whose repr raises {type(unprintable).__name__}>"
