"""Workers that are ended because of their memory use, and the errors of their tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from parsl.common.process_facts import proportional_bytes, resident_bytes
from parsl.executors.high_throughput.driver.failures import exception_of
from parsl.executors.high_throughput.errors import WorkerLost, WorkerOverMemory
from parsl.executors.high_throughput.executor import HighThroughputExecutor
from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity, may_be_job_end, worker_failure
from parsl.executors.high_throughput.manager.memory_limit import (
    GIB,
    MAX_COST,
    PERIOD_S,
    MemoryLimit,
    memory_of_trees,
)
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.fork_orders import Exited
from parsl.executors.high_throughput.wire.protocol import Task
from parsl.validate import ParameterError


def worker(rank: int = 0, *, has_run: bool = True) -> Worker:
    worker = Worker(rank)
    worker.has_run = has_run
    return worker


def test_only_workers_above_the_limit_are_ended() -> None:
    limit = MemoryLimit(GIB)
    at_limit, above, below = map(worker, range(3))
    assert limit.note({at_limit: GIB, above: GIB + 1, below: 5}, now_s=10, took_s=0) == [above]
    assert repr(limit) == "<MemoryLimit 1 GiB>"


def test_a_worker_that_runs_its_first_task_is_ended() -> None:
    busy = worker(has_run=False)
    busy.given.append(Task(1, b"", b""))
    assert MemoryLimit(GIB).note({busy: 2 * GIB}, now_s=11, took_s=0) == [busy]


def test_a_worker_that_never_had_a_task_is_not_ended() -> None:
    assert MemoryLimit(1).note({worker(has_run=False): GIB}, now_s=10, took_s=0) == []


def test_the_peak_is_remembered() -> None:
    limit, measured = MemoryLimit(GIB), worker()
    for used in (5, 9, 7):
        limit.note({measured: used}, now_s=0, took_s=0)
    assert measured.peak_memory == 9


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.001, PERIOD_S), (0.5, 0.5 / MAX_COST)])
def test_measuring_uses_at_most_its_share_of_a_processor(took_s: float, pause_s: float) -> None:
    limit = MemoryLimit(GIB)
    limit.note({}, now_s=100, took_s=took_s)
    assert limit.due_s == 100 + pause_s


def test_the_error_names_the_limit_the_peak_and_what_to_do() -> None:
    limit = MemoryLimit(4 * GIB)
    ended = worker(rank=3)
    limit.note({ended: 5 * GIB}, now_s=0, took_s=0)
    failure = worker_failure(
        PoolIdentity("m", "0", "n1"),
        protocol.OVER_MEMORY,
        ended,
        Task(1, b"", b""),
        Exited(77, -9, 7),
        2.5,
        "",
        limit,
    )
    assert not may_be_job_end(failure)
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


MB = 1_000_000
_HOLD = "data = bytearray({size}); print('there', flush=True); import time; time.sleep(1000)"


@contextmanager
def tree(program: str) -> Iterator[int]:
    """Start a process in its own session, wait for its first output, and yield its pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_children_count() -> None:
    hold = _HOLD.format(size=50 * MB)
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    with tree(program) as pid:
        assert resident_bytes(pid) < 50 * MB
        assert memory_of_trees({pid: 0}, above_bytes=10**12)[pid] > 50 * MB


def test_processes_in_the_session_of_an_ended_parent_count() -> None:
    hold = _HOLD.format(size=50 * MB)
    program = f"""
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        exec({hold!r})
    os._exit(0)
os.wait()
time.sleep(1000)
"""
    with tree(program) as pid:
        assert memory_of_trees({pid: 0}, above_bytes=10**12)[pid] > 50 * MB


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="the kernel reports no shares")
def test_pages_shared_by_forked_children_count_once_above_the_limit() -> None:
    program = f"""
import os, time
data = bytearray({50 * MB})
for _ in range(4):
    if os.fork() == 0:
        time.sleep(1000)
print("there", flush=True)
time.sleep(1000)
"""
    with tree(program) as pid:
        assert memory_of_trees({pid: 0}, above_bytes=10**12)[pid] > 200 * MB
        assert memory_of_trees({pid: 0}, above_bytes=150 * MB)[pid] < 150 * MB


def test_an_ended_process_uses_no_memory() -> None:
    gone = 2**30
    assert memory_of_trees({gone: 0}, above_bytes=0) == {}
    assert resident_bytes(gone) == proportional_bytes(gone) == 0
