"""The cost of a failed attempt, and whether another attempt follows."""

from __future__ import annotations

from logging import getLogger

from parsl.errors import AttemptError
from parsl.vocabulary.dataflow_errors import DataFlowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.dataflow.taskrecord import TaskRecord

    RetryHandler = Callable[[Exception, TaskRecord], float]

logger = getLogger(__name__)

#: The number of attempts that may be lost because their jobs have ended. They cost nothing; later ones do.
MAX_JOB_ENDS = 20

#: The number of workers that may end under a task, whatever the retries allow: each further attempt would
#: cost a worker, and perhaps, if memory runs out, the other tasks of its node.
MAX_WORKER_LOSSES = 3


def name_attempt(record: TaskRecord, error: BaseException) -> None:
    """Add the task and the attempt to an error that comes from outside of the task."""
    if isinstance(error, AttemptError):
        error.name_attempt(f"Task {record.id} ({record.func_name}), attempt {record.try_id + 1}")


def record_failure(record: TaskRecord, error: BaseException, handler: RetryHandler | None) -> None:
    """Note a failed attempt and its cost, 1 without a handler, in the record of a task."""
    record.fail_count += 1
    record.worker_losses += getattr(error, "is_worker_loss", False) is True
    record.fail_history = [*record.fail_history, _shown(error)]
    record.fail_cost += 1 if handler is None else _cost_by(handler, error, record)


def is_job_end(error: BaseException) -> bool:
    """Whether an attempt was lost because its batch job ended, for which the task is not to blame."""
    return getattr(error, "is_job_end", False) is True


def record_job_end(record: TaskRecord, error: BaseException) -> bool:
    """Note an attempt that was lost because its job ended; it costs nothing.

    Returns whether another attempt follows, which is not so if this has happened too often.
    """
    record.job_ends += 1
    if record.job_ends > MAX_JOB_ENDS:
        return False
    record.fail_history = [*record.fail_history, _shown(error)]
    return True


def too_many_job_ends(record: TaskRecord, error: BaseException) -> DataFlowException:
    """Return the error of a task whose jobs have ended under it again and again."""
    too_many = DataFlowException(
        f"Task {record.id} ({record.func_name}) was running when its job ended, {record.job_ends} times. "
        f"Does the task take longer than a job lasts? The last error: {error}"
    )
    too_many.__cause__ = error
    return too_many


def is_poison(record: TaskRecord) -> bool:
    """Whether workers have ended under a task too often."""
    return record.worker_losses >= MAX_WORKER_LOSSES


def too_many_worker_losses(record: TaskRecord, error: BaseException) -> DataFlowException:
    """Return the error of a task under which too many workers have ended."""
    history = "".join(f"\n  {number}. {text}" for number, text in enumerate(record.fail_history, 1))
    poison = DataFlowException(
        f"Task {record.id} ({record.func_name}) is not retried, although retries are left: "
        f"{record.worker_losses} workers have ended under it. Its failed attempts:{history}\n"
        "Does it crash in native code, or need more memory than a worker has?"
    )
    poison.__cause__ = error
    return poison


def _cost_by(handler: RetryHandler, error: BaseException, record: TaskRecord) -> float:
    """Return the cost of a failure; an exception of the handler becomes that of the task."""
    try:
        cost = handler(error, record)  # type: ignore[arg-type]
    except Exception as handler_error:
        _put_in_context(handler_error, error)
        logger.error(
            "The retry_handler raised %s when it handled %s of task %d (%s), which is not retried",
            _shown(handler_error), _shown(error), record.id, record.func_name,
        )  # fmt: skip
        raise
    try:
        is_number = cost + 0.0 == cost
    except Exception:
        is_number = False
    if not is_number:
        raise DataFlowException(
            f"The retry_handler returned {_shown(cost)} for {_shown(error)} of task {record.id} "
            f"({record.func_name}). It has to return the cost of the failure as a number"
        ) from error
    return cost


def _put_in_context(raised: BaseException, error: BaseException) -> None:
    """Make an error the beginning of the chain of exceptions that has led to another one."""
    last, seen = raised, {id(raised)}
    while last is not error and (earlier := last.__cause__ or last.__context__) is not None:
        if id(earlier) in seen:
            return
        seen.add(id(earlier))
        last = earlier
    if last is not error:
        last.__context__ = error


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as unprintable:
        return f"<{type(value).__name__} whose repr raises {type(unprintable).__name__}>"
