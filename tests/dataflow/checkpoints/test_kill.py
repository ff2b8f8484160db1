"""A run that writes checkpoints is killed at any moment; the next one goes on where it was."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints
from parsl.utils import get_all_checkpoints

_CAMPAIGN = Path(__file__).with_name("memo_campaign.py")


class Campaign:
    """Runs the workflow of :mod:`memo_campaign` again and again in one directory."""

    def __init__(self, directory: Path, executor: str, tasks: int) -> None:
        self.directory, self.executor, self.tasks = directory, executor, tasks
        directory.mkdir()

    def run(self, kill_after_s: float | None) -> bool:
        """Run it, and kill it with SIGKILL after a while; returns whether it was complete before."""
        recorded = self.recorded()
        with subprocess.Popen(
            [sys.executable, str(_CAMPAIGN), str(self.directory), self.executor, str(self.tasks)],
            env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=kill_after_s)
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
        assert output == "complete\n" or process.returncode == -9, errors
        executed = self.executed(process.pid)
        assert not recorded.intersection(executed), "what was recorded was executed again"
        assert len(executed) == len(set(executed))
        return output == "complete\n"

    def recorded(self) -> set[int]:
        """What can be read in the checkpoints."""
        loaded = LoadedCheckpoints(get_all_checkpoints(str(self.directory / "runs")))
        found = {future.result() for future in loaded.values()}
        loaded.close()
        return found

    def executed(self, driver: int) -> list[int]:
        """The tasks that were executed for a driver."""
        log = self.directory / f"executed-{driver}"
        return [int(line) for line in log.read_text().split()] if log.exists() else []


def kill_at_random(tmp_path: Path, executor: str, tasks: int, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    whole = Campaign(tmp_path / "whole", executor, tasks)
    start_s = time.monotonic()
    assert whole.run(None)
    duration_s = time.monotonic() - start_s
    number = killed = 0
    while killed < kills:
        number += 1
        campaign = Campaign(tmp_path / str(number), executor, tasks)
        while killed < kills and not campaign.run(moments.uniform(0, duration_s)):
            killed += 1
        assert campaign.run(None)
        assert campaign.recorded() == set(range(tasks))


def test_a_killed_run_is_taken_up(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "threads", tasks=400, kills=4, seed=1)


@pytest.mark.slow
def test_so_is_one_with_workers(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "htex", tasks=400, kills=2, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_random_moments(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "threads", tasks=1500, kills=50, seed=3)
