"""A run directory on a full disk: tasks still run, and one warning reports what cannot be written."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.fixtures import StartDriver

PREPARE = """
import logging
from parsl.dataflow.memoization import BasicMemoizer

DISK = os.path.abspath("disk")

def fill():
    with open(DISK + "/filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return

@python_app(cache=True)
def square(x):
    return x * x

@bash_app
def long_text(stdout=None):
    return "seq 100000"
"""

DURING_A_RUN = (
    PREPARE
    + """
config = make_config(run_dir="disk/r", worker_debug=True)
config.memoizer = BasicMemoizer(checkpoint_mode="task_exit")
with parsl.load(config):
    assert square(2).result() == 4
    fill()
    for _ in range(2):
        logging.getLogger("parsl").info("x" * 5000)  # more than the last page of its file can take
    assert [square(n).result() for n in range(2000)] == [n * n for n in range(2000)]
    assert type(long_text(stdout=DISK + "/out").exception()).__name__ == "BashExitFailure"
print("all is well")
"""
)

BEFORE_A_RUN = (
    PREPARE
    + """
fill()
try:
    parsl.load(make_config(run_dir="disk/r"))
except parsl.errors.ConfigurationError as error:
    print("refused:", error)
"""
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a small disk of one's own needs root and unshare",
)


@pytest.fixture
def on_a_small_disk(start_driver: StartDriver) -> Callable[[str], str]:
    """Run a script whose directory `disk` has room for 2 MB; returns what it printed."""

    def run(body: str) -> str:
        mount = "mkdir disk && mount -t tmpfs -o size=2m none disk"
        python = [*["unshare", "--mount", "bash", "-c"], f'{mount} && exec {sys.executable} "$0"']
        driver = start_driver(body, command=python)
        assert driver.wait(60) == 0, driver.output
        return driver.output

    return run


def test_a_disk_that_fills_up_loses_only_files(on_a_small_disk: Callable[[str], str]) -> None:
    output = on_a_small_disk(DURING_A_RUN)
    assert "all is well" in output
    assert output.count("parsl.log cannot be written") == 1
    assert output.count("could not be written to checkpoint") == 1
    assert "Logging error" not in output


def test_a_full_disk_is_an_error_that_names_it(on_a_small_disk: Callable[[str], str]) -> None:
    output = on_a_small_disk(BEFORE_A_RUN)
    assert "refused: " in output
    assert "No space left" in output
    assert "Logging error" not in output
