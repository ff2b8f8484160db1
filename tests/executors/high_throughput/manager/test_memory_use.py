"""Memory is measured of a worker with all that it has started; what they share counts once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from parsl.executors.high_throughput.manager.memory_use import (
    memory_of_trees,
    proportional_bytes,
    resident_bytes,
)

MB = 1_000_000
_HOLD = "data = bytearray({size}); print('there', flush=True); import time; time.sleep(1000)"


@contextmanager
def tree(program: str) -> Iterator[int]:
    """A process in a session of its own that has printed something: its pid."""
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


def test_what_is_in_its_session_counts_though_its_parent_has_ended() -> None:
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


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="this kernel tells no shares")
def test_pages_that_forked_children_share_count_once_where_it_matters() -> None:
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


def test_what_has_ended_uses_nothing() -> None:
    gone = 2**30
    assert memory_of_trees({gone: 0}, above_bytes=0) == {}
    assert resident_bytes(gone) == proportional_bytes(gone) == 0
