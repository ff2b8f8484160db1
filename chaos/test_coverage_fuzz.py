"""A short run of the coverage-guided fuzzer, where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support.modules import run_module


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install 'parsl[fuzz]' (Linux, some versions of Python only)",
)
def test_no_input_causes_an_unexpected_error(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seconds, seed = request.config.getoption("--seconds"), request.config.getoption("--seed")
    limits = ["--seconds", str(int(seconds)), "--seed", str(seed)]
    run = run_module("chaos.coverage_fuzz", *limits, "--findings", str(tmp_path))
    assert run.returncode == 0, run.stdout[-5000:]
