"""What these runs share with the tests."""

import pytest

from tests.conftest import _ctrl_c_reaches_scripts, _no_processes_left, wait_until
from tests.system.fixtures import far, start_driver

__all__ = [
    "_ctrl_c_reaches_scripts",
    "_no_processes_left",
    "far",
    "start_driver",
    "wait_until",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--moments", type=int, default=50, help="how many moments to interrupt a run at (50)")
    parser.addoption("--seed", type=int, default=0, help="for other random moments")
    parser.addoption(
        "--starts", type=int, default=200, help="how many runs to start while threads are busy (200)"
    )
    parser.addoption("--seconds", type=float, default=10, help="how long each continuous test lasts (10)")
