"""A load test with a few hundred managers; ``make load`` simulates a whole machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.modules import run_module


def test_no_task_is_lost_while_nodes_die(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    options = (
        "--managers 300 --tasks 30000 --task-s 1 --deaths 0.04 --idle-s 1 --period-s 3 --threshold-s 20 "
        "--event-log on"
    )
    seed = request.config.getoption("--seed")
    run = run_module("chaos.load", *options.split(), "--seed", str(seed))
    assert run.returncode == 0, run.stdout
