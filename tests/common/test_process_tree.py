"""The trees of processes on a node."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from parsl.common.process_tree import Processes, signal_processes


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    """A session of its own: a shell with a child, whose process id it prints."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "MARK": "this one"},
    )
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def child_of(shell: subprocess.Popen[str]) -> int:
    assert shell.stdout is not None
    return int(shell.stdout.readline())


def test_a_tree_is_found_from_its_root(shell: subprocess.Popen[str]) -> None:
    child, processes = child_of(shell), Processes()
    assert processes.descendants(shell.pid) == {child}
    assert processes.children(shell.pid) == {child}
    assert {shell.pid, child} <= processes.descendants(os.getpid())
    assert processes.with_descendants([shell.pid]) == {shell.pid, child}
    assert processes.session_members(shell.pid) == {shell.pid, child}


def test_a_missing_process_has_no_tree() -> None:
    processes = Processes()
    assert (
        processes.descendants(2**30) == processes.children(2**30) == processes.session_members(2**30) == set()
    )
    assert processes.alive([os.getpid(), 2**30]) == {os.getpid()}
    assert repr(processes).startswith("<Processes alive=")


def test_zombies_are_not_alive(wait_until: Any) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        wait_until(lambda: not Processes().alive([pid]))
    finally:
        os.waitpid(pid, 0)


def test_signals_reach_the_existing_processes(shell: subprocess.Popen[str], wait_until: Any) -> None:
    child = child_of(shell)
    signal_processes([2**22 - 1, child], signal.SIGKILL)
    wait_until(lambda: not Processes().alive([child]))


@pytest.mark.skipif(os.getuid() == 0, reason="root may signal everybody")
def test_processes_of_other_users_are_ignored() -> None:
    signal_processes([1], signal.SIGCONT)
