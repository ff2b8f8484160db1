"""A run that writes checkpoints is killed at any moment; the next one continues from there."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

_CAMPAIGN = Path(__file__).with_name("memo_campaign.py")


def kill_at_random(tmp_path: Path, executor: str, tasks: int, kills: int, seeds: range) -> None:
    """Kill runs ``kills`` times for each of the seeds, which are at work at the same time."""
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    with ExitStack() as started:
        campaigns = []
        for seed in seeds:
            directory = tmp_path / f"seed-{seed}"
            directory.mkdir()
            arguments = [str(argument) for argument in (directory, executor, tasks, kills, seed)]
            process = subprocess.Popen(
                [sys.executable, str(_CAMPAIGN), *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.callback(process.kill)
            campaigns.append(started.enter_context(process))
        for process in campaigns:
            output, errors = process.communicate()
            assert output == f"killed {kills} times\n", errors


def test_a_killed_run_is_continued(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "threads", tasks=400, kills=4, seeds=range(1))


@pytest.mark.slow
def test_a_killed_run_with_workers_is_continued(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "htex", tasks=400, kills=2, seeds=range(1))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_random_moments(tmp_path: Any) -> None:
    kill_at_random(tmp_path, "threads", tasks=400, kills=25, seeds=range(2))
