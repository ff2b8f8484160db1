"""Runs with MonitoringHub whose writer, workers or readers are killed at random moments: nothing is lost."""

from __future__ import annotations

import os
import pty
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chaos.watched import WatchedRun

KILLS = 50
KILLS_PER_RUN = 10
#: When the driver is stopped, and the last moment at which its writer is killed, in seconds after its start.
STOPPED_S = 1.5
LAST_KILL_S = 2.2

#: Readers, which get the run directory as their argument and read until they are killed.
HISTORY = """
import sys
from parsl.eventlog.history import Follower

with Follower(sys.argv[1]) as follower:
    while True:
        follower.advance()
"""
DATABASE = """
import os, sqlite3, sys
from contextlib import suppress

path = os.path.join(os.path.dirname(sys.argv[1]), "monitoring.db")
connection = sqlite3.connect(path, isolation_level=None)
while True:
    with suppress(sqlite3.OperationalError):  # the tables come soon
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM task JOIN status USING (run_id, task_id)").fetchall()
    if connection.in_transaction:
        connection.execute("COMMIT")
"""
DASHBOARD = """
import sys
from parsl.dashboard import moving, nodes
from parsl.dashboard.live import LiveRun

run = LiveRun(sys.argv[1])
while True:
    run.answer("overview", moving.overview, 0.01)
    run.answer("nodes", nodes.nodes, 0.01)
"""
TOP = "from parsl.cli.main import main; import sys; main(['top', '--plain', sys.argv[1]])"
READERS = {"history": HISTORY, "database": DATABASE, "dashboard": DASHBOARD, "top": TOP}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[WatchedRun]:
    """A run that has just started."""
    started = WatchedRun(tmp_path)
    yield started
    started.kill()


@pytest.fixture
def terminal() -> Iterator[int]:
    """A descriptor of a terminal whose output is read and dropped."""
    master, slave = pty.openpty()

    def drain() -> None:
        try:
            while os.read(master, 4096):
                pass
        except OSError:
            return

    thread = threading.Thread(target=drain)
    thread.start()
    yield slave
    os.close(slave)
    thread.join()
    os.close(master)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_writer_loses_nothing(run: WatchedRun, number: int, request: pytest.FixtureRequest) -> None:
    writer, moments = run.writer(), moments_of(number, request)
    moment_s = moments.uniform(0, LAST_KILL_S)
    run.watch(min(moment_s, STOPPED_S))
    if moment_s > STOPPED_S:
        run.stop()
        run.watch(moment_s - STOPPED_S)
    kill(writer)
    if moment_s <= STOPPED_S:
        run.wait_for_progress()
        run.stop()
    run.assert_complete()


@pytest.mark.parametrize("number", range(KILLS // KILLS_PER_RUN))
def test_killed_workers_lose_no_record(run: WatchedRun, number: int, request: pytest.FixtureRequest) -> None:
    moments = moments_of(number, request)
    for _ in range(KILLS_PER_RUN):
        run.watch(moments.uniform(0, 0.5))
        run.wait_for_progress()
        kill(moments.choice(run.workers()))
    run.stop()
    run.assert_complete()


@pytest.mark.parametrize("number", range(KILLS // KILLS_PER_RUN))
def test_killed_readers_disturb_nothing(
    run: WatchedRun, number: int, terminal: int, request: pytest.FixtureRequest
) -> None:
    moments = moments_of(number, request)
    for _ in range(KILLS_PER_RUN):
        reader = moments.choice(list(READERS.values()))
        command = [sys.executable, "-c", reader, str(run.run_dir)]
        with subprocess.Popen(command, stdin=terminal, stdout=terminal) as process:
            run.watch(moments.uniform(0, 2))
            assert process.poll() is None
            process.kill()
    run.wait_for_progress()
    run.stop()
    run.assert_complete()


def moments_of(number: int, request: pytest.FixtureRequest) -> random.Random:
    """Return the source of random moments of a case; ``--seed`` selects others."""
    return random.Random(f"{request.config.getoption('--seed')} {number}")


def kill(process: psutil.Process) -> None:
    """Kill a process, which may have ended already."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
