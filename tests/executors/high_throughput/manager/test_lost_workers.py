from __future__ import annotations

import signal

import pytest

from parsl.executors.high_throughput.manager.lost_workers import (
    DEFER_S,
    DeferredFailures,
    PoolIdentity,
    may_be_job_end,
    worker_failure,
)
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.fork_orders import Exited
from parsl.executors.high_throughput.wire.protocol import Failure, Task


@pytest.mark.parametrize(
    ("kind", "exit_code", "is_deferred"),
    [
        (protocol.WORKER_LOST, -signal.SIGTERM, True),
        (protocol.WORKER_LOST, -signal.SIGKILL, True),
        (protocol.WORKER_LOST, -signal.SIGSEGV, False),
        (protocol.WORKER_LOST, 1, False),
        (protocol.TIMED_OUT, -signal.SIGTERM, False),
        (protocol.CANCELLED, -signal.SIGKILL, False),
    ],
)
def test_which_signals_may_be_the_end_of_the_job(kind: str, exit_code: int, is_deferred: bool) -> None:
    task = Task(1, b"", b"", walltime_s=3)
    failure = worker_failure(PoolIdentity("m", "0", "h"), kind, Worker(2), task, Exited(77, exit_code, 10**6))
    assert may_be_job_end(failure) == is_deferred
    assert failure.worker == 2


def test_a_failure_is_deferred_for_a_while() -> None:
    deferred = DeferredFailures()
    first, second = Failure("k", "first"), Failure("k", "second")
    assert not deferred
    assert deferred.until_s == float("inf")
    deferred.add(1, first, started_s=90, now_s=100)
    deferred.add(2, second, started_s=95, now_s=100.2)
    assert deferred.until_s == 100 + DEFER_S
    assert deferred.ids() == [1, 2]
    assert deferred.ran_s(101) == {1: 11, 2: 6}
    assert deferred.take_due(100 + DEFER_S / 2) == []
    assert deferred.take_due(100 + DEFER_S) == [(1, first)]
    assert deferred.take_due(200) == [(2, second)]
    assert repr(deferred) == "<DeferredFailures 0>"
