"""A short soak over each way of connecting; ``make soak`` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_nothing_is_lost_while_processes_are_killed(way: str, request: pytest.FixtureRequest) -> None:
    seconds, seed = request.config.getoption("--seconds"), request.config.getoption("--seed")
    command = [sys.executable, "-m", "chaos.soak", "--seconds", str(seconds), "--way", way]
    run = subprocess.run(
        [*command, "--seed", str(seed)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
