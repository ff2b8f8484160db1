"""A load of a few hundred managers; ``make load`` is that of a whole machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_no_task_is_lost_while_nodes_die(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    options = "--managers 300 --tasks 30000 --task-s 1 --deaths 0.04 --idle-s 1 --period-s 3 --threshold-s 20"
    seed = request.config.getoption("--seed")
    run = subprocess.run(
        [sys.executable, "-m", "chaos.load", *options.split(), "--seed", str(seed)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
