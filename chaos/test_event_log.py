"""Drivers that are killed at random moments: what they had written of their runs is there, and readable."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.watched import ended_tasks, follow
from parsl.eventlog.history import Follower
from parsl.vocabulary.task_states import States

DRIVER = """
import itertools, parsl
from parsl.config import Config
from parsl.executors import ThreadPoolExecutor

@parsl.python_app
def square(x):
    return x * x

parsl.load(Config(executors=[ThreadPoolExecutor(max_threads=2)]))
for number in itertools.count():
    futures = [square(n) for n in range(number % 50)]
    for future in futures:
        future.result()
"""
KILLS = 50


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_driver_leaves_what_it_had_written(tmp_path: Path, seed: int) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], cwd=tmp_path)
    try:
        follower = follow(tmp_path / "runinfo" / "000")
        until = time.monotonic() + random.Random(seed).uniform(0, 2)
        while time.monotonic() < until:
            follower.advance()
        seen = ended_tasks(follower)
        assert follower.is_running() is not False
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    with follower, Follower(tmp_path / "runinfo" / "000") as later:
        follower.advance()
        later.advance()
        assert later.is_running() is False
        assert later.history.end is None
        assert seen <= ended_tasks(later)
        assert ended_tasks(follower) == ended_tasks(later)
        assert later.reader.damaged_bytes == later.reader.unknown_records == 0
        assert later.history.state_counts()[States.failed] == 0
