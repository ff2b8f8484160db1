"""Workers that end, and tasks longer than the time left; the test acts as fork server and worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.manager.worker_pool import (
    MAX_STARTUP_FAILURES,
    PoolBroken,
    PoolPlan,
    WorkerPool,
)
from parsl.executors.high_throughput.node.placement import WorkerPlacement
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.fork_orders import Exited, Forked
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    Result,
    Task,
    decode_failure,
    encode,
)
from parsl.executors.high_throughput.wire.settings import ManagerSettings


class Node:
    """A pool with one worker; the test acts as its fork server and its process.

    Args:
        left_s: The remaining time of the job (seconds); None if unknown.
    """

    def __init__(self, left_s: float | None = None) -> None:
        ours, self._fork_server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours = ours
        self._watcher = Watcher()
        self._pid = 100
        self.pool = WorkerPool(
            PoolPlan(
                PoolIdentity("m", "3", "node"),
                [WorkerPlacement(0, None, None, {})],
                ManagerSettings(addresses=[], port=0),
                ends_at_s=None if left_s is None else time.monotonic() + left_s,
            ),
            ours,
            self._watcher,
        )
        self.pool.start()
        self._worker = self._start_worker()

    def _start_worker(self) -> socket.socket:
        """Receive the request to fork, report a process, and return the worker's end of its channel."""
        _, descriptors, _, _ = socket.recv_fds(self._fork_server, 10_000, 1)
        self._report(Forked(0, self._pid))
        worker = socket.socket(fileno=descriptors[0])
        worker.settimeout(20)
        return worker

    def _report(self, message: Forked | Exited) -> None:
        self._fork_server.send(encode(message))
        self._serve()

    def _serve(self) -> None:
        self._watcher.serve(20.0)
        self.pool.refill()

    def start_task(self, number: int) -> None:
        self.pool.accept([Task(number, b"", b"")], {}, [])
        self._worker.recv(10_000)

    def run_task(self, number: int) -> None:
        self.start_task(number)
        self._worker.send(encode(Result(number, DONE, b"")))
        self._serve()

    def end_worker(self, exit_code: int, crash_report: str = "") -> None:
        self._worker.close()
        self._report(Exited(self._pid, exit_code, 10**6, crash_report))
        self._pid += 1
        self._worker = self._start_worker()

    def close(self) -> None:
        for sock in (self._ours, self._fork_server, self._worker):
            sock.close()
        for worker in self.pool.state.workers:
            if worker.link is not None:
                worker.link.close()
        self._watcher.close()


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


@pytest.fixture
def short_node() -> Iterator[Node]:
    """A node whose job ends soon."""
    node = Node(left_s=50)
    yield node
    node.close()


def tasks(*runtimes_s: float | None) -> list[Task]:
    return [Task(number, b"", b"", runtime_s=runtime_s) for number, runtime_s in enumerate(runtimes_s)]


def test_workers_that_end_before_they_have_run_a_task_break_the_pool(node: Node) -> None:
    for _ in range(MAX_STARTUP_FAILURES):
        node.end_worker(1)
    with pytest.raises(PoolBroken, match=r"4 workers ended .* exit code 1"):
        node.end_worker(1)


def test_workers_that_end_after_a_task_do_not_break_the_pool(node: Node) -> None:
    for number in range(3 * MAX_STARTUP_FAILURES):
        node.run_task(number)
        node.pool.results.clear()
        node.end_worker(-9)
    assert node.pool.results == []


def test_the_failure_of_a_crash_has_its_place_its_run_time_and_its_memory(node: Node) -> None:
    node.start_task(7)
    node.end_worker(-11, 'File "model.py", line 3 in step')
    [result] = node.pool.results
    failure = decode_failure(result.payload)
    assert "SIGSEGV" in failure.message
    assert "line 3 in step" in failure.message
    assert failure.log_tail == 'File "model.py", line 3 in step'
    assert (failure.pid, failure.signal, failure.worker) == (100, 11, 0)
    assert (failure.peak_memory, failure.kind) == (10**6, protocol.WORKER_LOST)
    assert failure.ran_s is not None


def test_tasks_of_a_killed_worker_are_reported_when_the_job_has_not_ended(node: Node) -> None:
    node.start_task(7)
    node.end_worker(-15)
    assert node.pool.results == []
    assert node.pool.held_ids() == [7]
    assert node.pool.running_s(time.monotonic()).keys() == {7}
    node.pool.report_deferred(time.monotonic() + 60)
    assert [result.id for result in node.pool.results] == [7]
    assert node.pool.held_ids() == []


def test_a_task_longer_than_the_time_left_is_returned_without_a_failure(short_node: Node) -> None:
    short_node.pool.accept(tasks(10, None, 60), {}, [])
    assert short_node.pool.held_ids() == [0, 1]
    [result] = short_node.pool.results
    failure = decode_failure(result.payload)
    assert (result.id, failure.kind, failure.is_job_end) == (2, protocol.MANAGER_LOST, True)
    assert "takes 60 s, and block 3 on node has only 50 s left" in failure.message


def test_without_a_known_end_of_the_job_all_tasks_are_accepted(node: Node) -> None:
    node.pool.accept(tasks(10**9, None), {}, [])
    assert node.pool.held_ids() == [0, 1]
    assert node.pool.results == []
    assert node.pool.running_s(time.monotonic()).keys() == {0}
