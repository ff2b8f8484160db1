"""A manager gives a task back that it has no time for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
from parsl.executors.high_throughput.manager.worker_pool import WorkerPool
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Task, decode_failure


@pytest.fixture
def channel() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def pool(channel: socket.socket, left_s: float | None) -> WorkerPool:
    return WorkerPool(
        PoolIdentity("m", "3", "node"),
        [({}, [])],
        prefetch=0,
        spool="",
        ends_at_s=None if left_s is None else time.monotonic() + left_s,
        fork_server=channel,
        watch=lambda fd, handler: None,
        rewatch=lambda fd, events: None,
        unwatch=lambda fd: None,
    )


def tasks(*runtimes_s: float | None) -> list[Task]:
    return [Task(number, b"", b"", runtime_s=runtime_s) for number, runtime_s in enumerate(runtimes_s)]


def test_what_cannot_be_done_in_time_is_given_back_as_no_failure_of_the_task(channel: socket.socket) -> None:
    node = pool(channel, left_s=50)
    node.accept(tasks(10, None, 60), {}, [])
    assert node.held_ids() == [0, 1]
    [result] = node.results
    failure = decode_failure(result.payload)
    assert (result.id, failure.kind, failure.is_job_end) == (2, protocol.MANAGER_LOST, True)
    assert "takes 60 s, and block 3 on node has only 50 s left" in failure.message


def test_without_a_known_end_all_is_taken(channel: socket.socket) -> None:
    node = pool(channel, left_s=None)
    node.accept(tasks(10**9, None), {}, [])
    assert node.held_ids() == [0, 1]
    assert node.results == []
    assert node.running_s(time.monotonic()) == {}
