"""From the machinery's failure records to the exceptions that users see."""

from __future__ import annotations

from concurrent.futures import CancelledError

from parsl.app.errors import AppTimeout
from parsl.executors.high_throughput import protocol
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.high_throughput.protocol import Failure


def exception_of(failure: Failure) -> BaseException:
    """The exception for a task that the machinery failed."""
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
        return ManagerLost(failure.manager, failure.host, failure.message, **details)
    return WorkerLost(failure.worker, failure.host, failure.message, **details)
