from __future__ import annotations

import signal

import pytest

from parsl.executors.high_throughput.manager.lost_workers import (
    DOUBT_S,
    DeferredFailures,
    PoolIdentity,
    is_doubtful,
    worker_failure,
)
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Exited, Failure, Task


@pytest.mark.parametrize(
    ("kind", "exit_code", "doubtful"),
    [
        (protocol.WORKER_LOST, -signal.SIGTERM, True),
        (protocol.WORKER_LOST, -signal.SIGKILL, True),
        (protocol.WORKER_LOST, -signal.SIGSEGV, False),
        (protocol.WORKER_LOST, 1, False),
        (protocol.TIMED_OUT, -signal.SIGTERM, False),
        (protocol.CANCELLED, -signal.SIGKILL, False),
    ],
)
def test_which_ends_may_be_those_of_the_job(kind: str, exit_code: int, doubtful: bool) -> None:
    task = Task(1, b"", b"", walltime_s=3)
    failure = worker_failure(PoolIdentity("m", "0", "h"), kind, 2, task, Exited(77, exit_code, 10**6))
    assert is_doubtful(failure) == doubtful
    assert failure.worker == 2


def test_a_doubt_is_over_after_a_while() -> None:
    doubts = DeferredFailures()
    first, second = Failure("k", "first"), Failure("k", "second")
    assert not doubts
    assert doubts.until_s == float("inf")
    doubts.add(1, first, began_s=90, now_s=100)
    doubts.add(2, second, began_s=95, now_s=100.2)
    assert doubts.until_s == 100 + DOUBT_S
    assert doubts.ids() == [1, 2]
    assert doubts.ran_s(101) == {1: 11, 2: 6}
    assert doubts.take_ended(100 + DOUBT_S / 2) == []
    assert doubts.take_ended(100 + DOUBT_S) == [(1, first)]
    assert doubts.take_ended(200) == [(2, second)]
    assert repr(doubts) == "<DeferredFailures 0>"
