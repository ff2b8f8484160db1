"""The process of a task, which another thread may end."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.executors.local import task_process
from parsl.executors.local.task_process import TaskEnded, TaskProcess

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


def spawn(*command: str) -> int:
    return os.posix_spawnp(command[0], command, os.environ, setsid=True)


def test_the_wait_status_is_that_of_the_process() -> None:
    process = TaskProcess()
    process.starting()
    process.started(spawn("sh", "-c", "exit 3"))
    status = process.wait()
    assert status is not None
    assert os.waitstatus_to_exitcode(status) == 3


@pytest.mark.parametrize("has_descriptors", [True, False])
def test_the_wait_has_a_limit_and_the_owner_may_terminate(
    has_descriptors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = TaskProcess()
    process.starting()
    pid = spawn("sleep", "1000")
    process.started(pid)
    assert process.wait(0.02) is None
    process.terminate()
    assert not is_alive(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_another_thread_may_end_the_process(wait_until: WaitUntil) -> None:
    process = TaskProcess()
    process.starting()
    pid = spawn("sleep", "1000")
    process.started(pid)
    statuses: list[int | None] = []
    waiter = threading.Thread(target=lambda: statuses.append(process.wait()))
    waiter.start()
    assert process.end()
    waiter.join(10)
    assert not is_alive(pid)
    assert [os.waitstatus_to_exitcode(status or 0) for status in statuses] == [-15]


def test_an_end_before_the_start_prevents_the_start() -> None:
    process = TaskProcess()
    assert not process.end()
    with pytest.raises(TaskEnded):
        process.starting()


def test_an_end_during_the_start_ends_the_process_once_it_has_started() -> None:
    process = TaskProcess()
    process.starting()
    assert process.end()
    pid = spawn("sleep", "1000")
    process.started(pid)
    assert not is_alive(pid)
    assert process.wait() is not None


def test_ending_a_process_that_has_ended_does_nothing() -> None:
    process = TaskProcess()
    process.starting()
    process.started(spawn("true"))
    process.wait()
    assert not process.end()


def test_a_thread_outside_a_pool_gets_a_new_process_each_time() -> None:
    assert task_process.current() is not task_process.current()
