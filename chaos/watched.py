"""A run with MonitoringHub that is watched, disturbed, and checked at its end."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from parsl.cli.main import main
from parsl.eventlog.file import EventLogError
from parsl.eventlog.history import Follower
from parsl.vocabulary.task_states import FINAL_STATES, States
from tests.monitoring.database.runs import content
from tests.support.waiting import wait_until
from tests.system.run import WORKER, titled

DRIVER = """
import os, time
import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.monitoring import MonitoringHub
from parsl.providers import LocalProvider

@python_app
def square(x):
    time.sleep(x % 5 / 1000)
    return x * x

provider = LocalProvider(init_blocks=1, max_blocks=1)
executor = HighThroughputExecutor(label="htex", max_workers_per_node=2, provider=provider)
with parsl.load(Config([executor], retries=9, strategy="none", monitoring=MonitoringHub())):
    done = 0
    while not os.path.exists("stop"):
        futures = [square(number) for number in range(100)]
        assert [future.result() for future in futures] == [number * number for number in range(100)]
        done += 100
print("done", done)
"""
_END_S = 60.0


def follow(run_dir: Path, deadline_s: float = 60.0) -> Follower:
    """Follow a run, which starts soon."""
    found: list[Follower] = []

    def is_there() -> bool:
        try:
            found.append(Follower(run_dir))
        except EventLogError:
            return False
        return True

    wait_until(is_there, deadline_s)
    return found[0]


def ended_tasks(follower: Follower) -> set[int]:
    """Return the numbers of the tasks that have ended."""
    final = {int(state) for state in FINAL_STATES}
    return {number for number, state in enumerate(follower.history.tasks.state) if state in final}


class WatchedRun:
    """A driver in a process of its own, whose event log is followed. Its tasks go on until it is stopped.

    Args:
        directory: An empty directory.
    """

    def __init__(self, directory: Path) -> None:
        (directory / "driver.py").write_text(DRIVER)
        self._directory = directory
        self._output = directory / "output"
        with self._output.open("wb") as output:
            self.process = psutil.Popen(
                [sys.executable, "driver.py"], cwd=directory, stdout=output, stderr=subprocess.STDOUT
            )
        self.run_dir = directory / "runinfo" / "000"
        self._follower = follow(self.run_dir)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.process.pid} of {len(ended_tasks(self._follower))} tasks>"

    def watch(self, duration_s: float) -> None:
        """Follow the run for a while."""
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            self._follower.advance()

    def wait_for_progress(self) -> None:
        """Wait until more tasks have ended than now."""
        before = len(ended_tasks(self._follower))

        def has_progressed() -> bool:
            self._follower.advance()
            return len(ended_tasks(self._follower)) > before

        wait_until(has_progressed, _END_S, "a task that ends after the disturbance")

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes."""
        return titled(WORKER, self.process)

    def writer(self) -> psutil.Process:
        """Return the process that writes the database, which starts soon."""
        return wait_until(lambda: [each for each in self.process.children() if _is_writer(each)])[0]

    def stop(self) -> None:
        """Let the driver end."""
        (self._directory / "stop").touch()

    def kill(self) -> None:
        """Kill what is left of the run."""
        with self._follower.reader, suppress(psutil.NoSuchProcess):
            self.process.kill()
            self.process.wait()

    def assert_complete(self) -> None:
        """The run was not disturbed, and each of its records is in the log, and then in the database."""
        assert self.process.wait(_END_S) == 0, self._output.read_text()
        count = int(self._output.read_text().rpartition("done ")[2])
        with Follower(self.run_dir) as later:
            later.advance()
            assert later.history.end is not None
            assert later.history.state_counts()[States.exec_done] == count
            assert ended_tasks(self._follower) <= ended_tasks(later) == set(range(count))
            assert later.reader.damaged_bytes == later.reader.unknown_records == 0
            assert later.history.gaps == []
        self._assert_recorded()

    def _assert_recorded(self) -> None:
        """After ``parsl monitoring RUN``, the database has what an undisturbed writer writes."""
        command = ["monitoring", "0", "--run-dir", str(self.run_dir.parent)]
        assert main(command) == 0
        whole = self._directory / "whole.db"
        assert main([*command, "--database", f"sqlite:///{whole}"]) == 0
        assert content(self.run_dir.parent / "monitoring.db") == content(whole)


def _is_writer(process: psutil.Process) -> bool:
    try:
        return "monitoring" in " ".join(process.cmdline())
    except psutil.Error:
        return False
