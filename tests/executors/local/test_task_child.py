"""A task's child process, and its end at the hands of another thread."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.executors.local import task_child
from parsl.executors.local.task_child import TaskChild, TaskEnded

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


def spawn(*command: str) -> int:
    return os.posix_spawnp(command[0], command, os.environ, setsid=True)


def test_the_wait_status_is_that_of_the_child() -> None:
    child = TaskChild()
    child.starting()
    child.started(spawn("sh", "-c", "exit 3"))
    status = child.wait()
    assert status is not None
    assert os.waitstatus_to_exitcode(status) == 3


@pytest.mark.parametrize("has_descriptors", [True, False])
def test_waiting_ends_in_time_and_the_owner_may_end_it(
    has_descriptors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = TaskChild()
    child.starting()
    pid = spawn("sleep", "1000")
    child.started(pid)
    assert child.wait(0.02) is None
    child.terminate()
    assert not is_alive(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_another_thread_ends_it(wait_until: WaitUntil) -> None:
    child = TaskChild()
    child.starting()
    pid = spawn("sleep", "1000")
    child.started(pid)
    statuses: list[int | None] = []
    waiter = threading.Thread(target=lambda: statuses.append(child.wait()))
    waiter.start()
    assert child.end()
    waiter.join(10)
    assert not is_alive(pid)
    assert [os.waitstatus_to_exitcode(status or 0) for status in statuses] == [-15]


def test_an_end_before_the_start_prevents_it() -> None:
    child = TaskChild()
    assert not child.end()
    with pytest.raises(TaskEnded):
        child.starting()


def test_an_end_during_the_start_ends_it_when_it_is_there() -> None:
    child = TaskChild()
    child.starting()
    assert child.end()
    pid = spawn("sleep", "1000")
    child.started(pid)
    assert not is_alive(pid)
    assert child.wait() is not None


def test_an_end_after_the_end_does_nothing() -> None:
    child = TaskChild()
    child.starting()
    child.started(spawn("true"))
    child.wait()
    assert not child.end()


def test_a_thread_that_nobody_watches_has_a_child_of_its_own() -> None:
    assert task_child.current() is not task_child.current()
