"""Ctrl-C and SIGTERM at any moment of a script's life, from the start of Python to its end."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

from tests.system.driver import all_gone

if TYPE_CHECKING:
    import pytest

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

SCRIPT = """
@python_app
def work(n):
    time.sleep(0.002)
    return n

@bash_app
def command():
    return "sleep 0.01"

with parsl.load(make_config(provider=LocalProvider(init_blocks=2, max_blocks=2), retries=1)):
    for round in range(10):
        futures = [work(n) for n in range(20)] + [command()]
        assert [future.result() for future in futures] == [*range(20), 0]
"""
#: How long an interrupted script may take to end, in seconds, on a machine with other work.
OUT_S = 5.0


def test_a_run_can_be_interrupted_at_any_moment(
    start_driver: StartDriver, wait_until: WaitUntil, request: pytest.FixtureRequest
) -> None:
    whole = start_driver(SCRIPT)
    begin_s = time.monotonic()
    assert whole.wait(60) == 0, whole.output
    life_s = time.monotonic() - begin_s
    chance = random.Random(request.config.getoption("--seed"))
    slowest_s = 0.0
    for count in range(request.config.getoption("--moments")):
        delay_s = chance.uniform(0, life_s)
        number = chance.choice((signal.SIGINT, signal.SIGTERM))
        driver = start_driver(SCRIPT)
        time.sleep(delay_s)  # that moment is what this is about
        moment_s = time.monotonic()
        os.kill(driver.process.pid, number)
        driver.wait(OUT_S)
        slowest_s = max(slowest_s, time.monotonic() - moment_s)
        wait_until(
            all_gone(driver), 10, f"the end of {driver.family()} ({count}: {number!r}, {delay_s:.3f} s)"
        )
        assert {path.name for path in driver.directory.iterdir()} <= {"out", "r", "script.py"}
    print(f"slowest end: {slowest_s:.2f} s")
