"""A short soak test for each kind of connection; ``make soak`` runs a long one."""

from __future__ import annotations

import pytest

from tests.support.modules import run_module


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_nothing_is_lost_while_processes_are_killed(way: str, request: pytest.FixtureRequest) -> None:
    seconds, seed = request.config.getoption("--seconds"), request.config.getoption("--seed")
    run = run_module("chaos.soak", "--seconds", str(seconds), "--way", way, "--seed", str(seed))
    assert run.returncode == 0, run.stdout
