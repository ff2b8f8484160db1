"""A wall clock that jumps forward and back by days during a run: nothing depends on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.driver import all_gone

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver

SOURCE = Path(__file__).parents[1] / "support" / "jumping_clock.c"
COMPILER = shutil.which("cc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMPILER is None, reason="the library that fakes the clock needs a C compiler (cc)"),
]

SCRIPT = """
    from parsl.app.errors import AppTimeout
    from parsl.dataflow.memoization import BasicMemoizer

    DAY = 86_400
    begun = time.time()

    def set_clock(offset):
        with open("clock.new", "w") as file:
            file.write(str(offset))
        os.rename("clock.new", os.environ["PARSL_TEST_CLOCK"])

    @python_app(cache=True)
    def work(number):
        import os, time
        os.close(os.open("ran.%d" % number, os.O_CREAT | os.O_EXCL))
        time.sleep(0.01)
        return time.time()

    @python_app
    def rest(seconds, walltime=60):
        import time
        time.sleep(seconds)
        return "rested"

    @python_app
    def endless(walltime=1):
        import time
        time.sleep(1000)

    config = make_config(
        over_tcp=OVER_TCP, heartbeat_period=0.2, heartbeat_threshold=3,
        provider=LocalProvider(
            worker_init="export PARSL_BLOCK_WALLTIME_S=3600 PARSL_BLOCK_STARTED=$(date +%s)"
        ),
    )
    config.memoizer = BasicMemoizer(checkpoint_mode="periodic", checkpoint_period="00:00:01")
    with parsl.load(config):
        seen = []
        for turn, offset in enumerate((0, 3 * DAY, -3 * DAY, 3600, 0, 400 * DAY, -400 * DAY, 0)):
            resting, timed = rest(0.3), rest(0.01, parsl_resource_specification=dict(runtime_s=60))
            late = endless() if turn in (1, 2) else None
            futures = [work(10 * turn + i) for i in range(10)]
            futures[0].result(timeout=30)
            set_clock(offset)
            futures += [work(1000 + 10 * turn + i) for i in range(10)]
            seen.append([future.result(timeout=30) for future in futures][-1] - begun)
            assert (resting.result(timeout=30), timed.result(timeout=30)) == ("rested", "rested")
            if late is not None:
                assert isinstance(late.exception(timeout=30), AppTimeout)
    # The workers did see these times.
    print([round(each / DAY) for each in seen])
"""


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_a_run_does_not_depend_on_the_wall_clock(
    start_driver: StartDriver, wait_until: WaitUntil, tmp_path: Path, way: str
) -> None:
    library = tmp_path / "jumping_clock.so"
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "LD_PRELOAD": str(library),
        "PARSL_TEST_CLOCK": str(tmp_path / "clock"),
    }
    driver = start_driver(SCRIPT.replace("OVER_TCP", str(way == "tcp")), env=environment)
    assert driver.wait(100) == 0, driver.output
    assert driver.output.splitlines()[-1] == "[0, 3, -3, 0, 0, 400, -400, 0]"
    wait_until(all_gone(driver), 60)
