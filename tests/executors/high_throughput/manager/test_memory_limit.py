"""Which workers are ended because of the memory that they use, and what is said about it."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.driver.failures import exception_of
from parsl.executors.high_throughput.errors import WorkerLost, WorkerOverMemory
from parsl.executors.high_throughput.executor import HighThroughputExecutor
from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity, is_doubtful, worker_failure
from parsl.executors.high_throughput.manager.memory_limit import GIB, MAX_COST, PERIOD_S, MemoryLimit
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Exited, Task
from parsl.validate import ParameterError


def test_only_those_over_the_limit_are_ended() -> None:
    limit = MemoryLimit(GIB)
    assert limit.measured({1: GIB, 2: GIB + 1, 3: 5}, busy=[1, 2, 3], now_s=10, took_s=0) == [2]
    assert repr(limit) == "<MemoryLimit 1 GiB workers=3>"


def test_one_that_has_had_a_task_is_ended_even_when_it_is_idle() -> None:
    limit = MemoryLimit(GIB)
    assert limit.measured({1: 0}, busy=[1], now_s=10, took_s=0) == []
    assert limit.measured({1: 2 * GIB}, busy=[], now_s=11, took_s=0) == [1]


def test_one_that_never_had_a_task_is_not_since_the_next_would_be_no_better() -> None:
    limit = MemoryLimit(1)
    assert limit.measured({1: GIB}, busy=[], now_s=10, took_s=0) == []
    limit.measured({1: 0}, busy=[1], now_s=11, took_s=0)
    limit.forget(1)  # another worker may get its process id
    assert limit.measured({1: GIB}, busy=[], now_s=12, took_s=0) == []


def test_the_peak_is_remembered() -> None:
    limit = MemoryLimit(GIB)
    for used in (5, 9, 7):
        limit.measured({1: used}, busy=[1], now_s=0, took_s=0)
    assert limit.peak_of(1) == 9
    limit.forget(1)
    assert limit.peak_of(1) == 0


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.001, PERIOD_S), (0.5, 0.5 / MAX_COST)])
def test_measuring_takes_no_more_than_its_part_of_a_processor(took_s: float, pause_s: float) -> None:
    limit = MemoryLimit(GIB)
    limit.measured({}, busy=[], now_s=100, took_s=took_s)
    assert limit.due_s == 100 + pause_s


def test_the_error_names_the_limit_the_peak_and_what_to_do() -> None:
    limit = MemoryLimit(4 * GIB)
    limit.measured({77: 5 * GIB}, busy=[77], now_s=0, took_s=0)
    failure = worker_failure(
        PoolIdentity("m", "0", "n1"),
        protocol.OVER_MEMORY,
        3,
        Task(1, b"", b""),
        Exited(77, -9, 7),
        2.5,
        "",
        limit,
    )
    assert not is_doubtful(failure)
    error = exception_of(failure)
    assert isinstance(error, WorkerOverMemory)
    assert isinstance(error, WorkerLost)
    assert error.is_worker_loss
    assert error.details["peak_memory"] == 5 * GIB
    for words in (
        "Worker 3 (pid 77) on host n1",
        "5.00 GB",
        "limit is 4 GB",
        "mem_per_worker",
        "Give workers more",
    ):
        assert words in str(error)


def test_enforcing_needs_a_limit() -> None:
    with pytest.raises(ParameterError, match=r"enforce_mem_per_worker.*mem_per_worker"):
        HighThroughputExecutor(enforce_mem_per_worker=True)
    assert HighThroughputExecutor(mem_per_worker=2, enforce_mem_per_worker=True).enforce_mem_per_worker
    assert not HighThroughputExecutor(mem_per_worker=2).enforce_mem_per_worker
