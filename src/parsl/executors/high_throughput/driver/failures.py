"""From the machinery's failure records to the exceptions that users see."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost, WorkerOverMemory
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Failure
from parsl.failure_facts import attach
from parsl.vocabulary.app_errors import AppTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.driver.job_ends import JobEnd


#: A task that has had this part of a walltime to itself would not be done in another block either.
MAX_OF_WALLTIME = 0.9


def exception_of(
    failure: Failure, end: JobEnd | None = None, walltime_s: float | None = None
) -> BaseException:
    """The exception for a task that the machinery failed, with all that is known about that.

    Args:
        failure: what became of the task.
        end: how the job ended that it ran in, if that is known.
        walltime_s: how long a block may run, in seconds; None if nobody knows.
    """
    error = _exception_of(failure, end, walltime_s)
    attach(
        error,
        host=failure.host or None,
        block=failure.block or None,
        manager=failure.manager or None,
        worker=failure.worker,
        pid=failure.pid,
        exit_code=failure.exit_code if end is None else end.exit_code,
        signal=failure.signal,
        peak_memory=failure.peak_memory,
        ran_s=failure.ran_s,
        stderr_tail=failure.log_tail if end is None else end.log_tail,
    )
    return error


def _exception_of(failure: Failure, end: JobEnd | None, walltime_s: float | None) -> BaseException:
    if failure.kind == protocol.TIMED_OUT:
        return AppTimeout(failure.message)
    if failure.kind == protocol.CANCELLED:
        return CancelledError(failure.message)
    details = {
        "block": failure.block,
        "manager": failure.manager,
        "exit_code": failure.exit_code,
        "signal": failure.signal,
        "peak_memory": failure.peak_memory,
        "log_tail": failure.log_tail,
    }
    if failure.kind == protocol.MANAGER_LOST:
        return _manager_lost(failure, details, end, walltime_s)
    kind = WorkerOverMemory if failure.kind == protocol.OVER_MEMORY else WorkerLost
    return kind(failure.worker, failure.host, failure.message, **details)


def takes_too_long(failure: Failure, walltime_s: float | None) -> bool:
    """Whether a task that was lost to the end of a job would be lost in the next one, too."""
    return bool(walltime_s and failure.ran_s and failure.ran_s >= MAX_OF_WALLTIME * walltime_s)


def _manager_lost(
    failure: Failure, details: dict[str, Any], end: JobEnd | None, walltime_s: float | None
) -> ManagerLost:
    message = failure.message
    is_job_end = failure.is_job_end
    if end is not None:
        is_job_end = is_job_end or end.is_from_outside
        message = f"{message} {end}"
        details |= {"exit_code": end.exit_code, "log_tail": end.log_tail, "job_state": end.state.name}
    if is_job_end and walltime_s is not None and takes_too_long(failure, walltime_s):
        is_job_end = False
        message = (
            f"The task had been running for {failure.ran_s:.0f} s when its job ended, and a job of this "
            f"provider has {walltime_s:.0f} s: the task needs a longer walltime. {message}"
        )
    return ManagerLost(failure.manager, failure.host, message, **details, is_job_end=is_job_end)
