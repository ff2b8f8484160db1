"""The search for processes left behind finds hidden ones."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from tests import leftovers

_HIDES = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read()", "parsl: hidden"],
    stdin=int(sys.argv[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    start_new_session=True, env={},
)
print(child.pid)
"""


@pytest.fixture
def hidden_pid():
    """Start a process with no environment, in a session of its own, whose parent has gone."""
    read_end, write_end = os.pipe()
    run = subprocess.run(
        [sys.executable, "-c", _HIDES, str(read_end)],
        pass_fds=(read_end,),
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(read_end)
    pid = int(run.stdout)
    yield pid
    os.close(write_end)  # the process ends at the end of its input


def test_an_orphan_is_found_by_its_inherited_mark(hidden_pid, wait_until):
    mark = leftovers.mark_this_process()
    # A process that has just called exec may have no command line yet.
    wait_until(lambda: hidden_pid in [process.pid for process in leftovers.find(mark)], 20)


def test_others_are_not_found():
    assert leftovers.find(leftovers.mark_this_process() + 1) == []


def test_found_processes_can_be_described_and_ended(hidden_pid, wait_until):
    process = psutil.Process(hidden_pid)
    wait_until(lambda: "parsl: hidden" in leftovers.describe(process), 20)  # as above
    leftovers.kill([process])
    assert "parsl" not in leftovers.describe(process) or not process.is_running()
