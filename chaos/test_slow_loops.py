"""Delays at random places of Parsl's loops, in all processes: results are still right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.driver import SOURCES, all_gone

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

HOOK = Path(__file__).parents[1] / "tests" / "support" / "slow_loops"
#: One call in so many waits up to so long, in seconds.
DELAYS = {"often": "0.004 0.02", "long": "0.0004 0.3"}

SCRIPT = """
    import collections, random
    from concurrent.futures import CancelledError
    from parsl.app.errors import AppTimeout
    chance = random.Random(SEED)

    @python_app
    def work(number, load=b"", parent=None, path=None):
        import os, time
        fd = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, number.to_bytes(8, "little"))
        os.close(fd)
        time.sleep(number % 7 / 1000)
        return number, load

    @python_app
    def complain(number):
        raise ValueError(number)

    @python_app
    def long(walltime=0.5):
        import time
        time.sleep(1000)

    def outcome(future):
        try:
            return future.result(timeout=120)
        except (ValueError, CancelledError, AppTimeout) as error:
            return type(error).__name__

    config = make_config(
        retries=0, heartbeat_period=2, heartbeat_threshold=60, over_tcp=OVER_TCP,
        provider=LocalProvider(init_blocks=2, max_blocks=2),
    )
    expected, futures = [], []
    with parsl.load(config):
        before = None
        for number in range(600):
            load = chance.randbytes(chance.choice((0, 0, 100, 60_000, 400_000)))
            kind = chance.choice(("work", "work", "work", "chain", "complain", "long"))
            if kind == "complain":
                futures.append(complain(number))
                expected.append("ValueError")
            elif kind == "long" and number % 20 == 0:
                futures.append(long())
                expected.append("AppTimeout")
            else:
                before = work(number, load, parent=before if kind == "chain" else None)
                futures.append(before)
                expected.append((number, load))
                if number % 50 == 0:
                    before.result(timeout=120)
        found = [outcome(future) for future in futures]
    assert found == expected, [pair for pair in zip(found, expected) if pair[0] != pair[1]][:3]
    text = open("journal", "rb").read()
    ran = collections.Counter(text[at : at + 8] for at in range(0, len(text), 8))
    assert set(ran.values()) == {1}, "each ran once"
    assert len(ran) == sum(isinstance(each, tuple) for each in expected)
    print("all is well")
"""


@pytest.mark.parametrize("way", ["local", "tcp"])
@pytest.mark.parametrize("delays", list(DELAYS))
def test_results_are_correct_although_every_loop_is_slow(
    start_driver: StartDriver,
    wait_until: WaitUntil,
    request: pytest.FixtureRequest,
    delays: str,
    way: str,
) -> None:
    seed = request.config.getoption("--seed")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{HOOK}:{SOURCES}",
        "PARSL_TEST_DELAYS": f"{DELAYS[delays]} {seed}",
    }
    body = SCRIPT.replace("SEED", str(seed)).replace("OVER_TCP", str(way == "tcp"))
    driver = start_driver(body, env=environment)
    assert driver.wait(240) == 0, driver.output
    assert driver.output.endswith("all is well\n"), driver.output
    wait_until(all_gone(driver), 60, f"the end of {driver.family()}")
