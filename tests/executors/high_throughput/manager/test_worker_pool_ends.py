"""Workers that end: which of them show that none can be started any more."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
from parsl.executors.high_throughput.manager.worker_pool import MAX_STARTUP_FAILURES, PoolBroken, WorkerPool
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    Exited,
    Forked,
    Result,
    Task,
    decode_failure,
    encode,
)


class Node:
    """A pool with one worker, whose fork server and processes are the test's."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.pid = 100
        self.pool = WorkerPool(
            PoolIdentity("m", "3", "node"),
            [({}, [])],
            prefetch=0,
            spool="",
            fork_server=self.ours,
            watch=self.handlers.__setitem__,
            rewatch=lambda fd, events: None,
            unwatch=lambda fd: None,
        )
        self.pool.start()
        self.tell(Forked(0, self.pid))

    def tell(self, message: Forked | Exited) -> None:
        self.theirs.send(encode(message))
        self.handlers[self.ours.fileno()](select.EPOLLIN)
        self.pool.settle()

    def run_a_task(self, number: int) -> None:
        self.pool.accept([Task(number, b"", b"")], {}, [])
        link = self.pool._links[0]
        link.theirs.recv(10_000)
        link.theirs.send(encode(Result(number, DONE, b"")))
        self.handlers[link.ours.fileno()](select.EPOLLIN)

    def end_worker(self, exit_code: int, crash_report: str = "") -> None:
        self.tell(Exited(self.pid, exit_code, 10**6, crash_report))
        self.pid += 1
        self.tell(Forked(0, self.pid))


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    with node.ours, node.theirs:
        yield node
        for link in node.pool._links.values():
            link.close()


def test_workers_that_end_before_they_have_run_a_task_break_the_pool(node: Node) -> None:
    for _ in range(MAX_STARTUP_FAILURES):
        node.end_worker(1)
    with pytest.raises(PoolBroken, match=r"4 workers ended .* exit code 1"):
        node.end_worker(1)


def test_those_that_have_run_one_do_not_however_many(node: Node) -> None:
    for number in range(3 * MAX_STARTUP_FAILURES):
        node.run_a_task(number)
        node.pool.results.clear()
        node.end_worker(-9)
    assert node.pool.results == []


def test_a_crash_is_told_with_where_it_was_how_long_it_ran_and_what_it_used(node: Node) -> None:
    node.pool.accept([Task(7, b"", b"")], {}, [])
    node.pool._links[0].theirs.recv(10_000)
    node.end_worker(-11, 'File "model.py", line 3 in step')
    [result] = node.pool.results
    failure = decode_failure(result.payload)
    assert "SIGSEGV" in failure.message
    assert "line 3 in step" in failure.message
    assert failure.log_tail == 'File "model.py", line 3 in step'
    assert (failure.pid, failure.signal, failure.worker) == (100, 11, 0)
    assert failure.ran_s is not None
