"""Globus Compute's endpoint on our workers, and our executor on such an endpoint by way of the SDK.

The SDK, the engine of the endpoint and RabbitMQ are real; a stand-in takes the place of the web service.
Their packages bind dill and others, and have an environment of their own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.engine_environments import (
    GLOBUS_COMPUTE,
    ROOT,
    TEST_LIMIT_S,
    Unavailable,
    python_of,
    variables,
)
from tests.support.simulated_hosts import NAMESPACES, why_not

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(TEST_LIMIT_S)]

_MODULES = ROOT / "tests" / "support" / "globus_compute"


@pytest.fixture(scope="module")
def python() -> Path:
    if reason := why_not():
        pytest.skip(reason)
    if not os.path.exists("/usr/lib/rabbitmq/bin/rabbitmq-server"):
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    try:
        return python_of(GLOBUS_COMPUTE)
    except Unavailable as error:
        pytest.skip(str(error))


def run_tests(python: Path, module: str, directory: Path, *prefix: str) -> str:
    """Run pytest on a module in the environment, in namespaces: the SDK has a fixed port for its service."""
    pytest_command = [
        str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}",
        f"--basetemp={directory}/tmp", str(_MODULES / module),
    ]  # fmt: skip
    done = subprocess.run(
        ["unshare", *NAMESPACES, *prefix, *pytest_command],
        cwd=directory,
        env=variables(python),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    return done.stdout


def test_the_engine_of_an_endpoint_runs_on_our_workers(python: Path, tmp_path: Path) -> None:
    output = run_tests(python, "engine.py", tmp_path)
    assert "passed" in output
    assert "skipped" not in output


def test_the_executor_with_the_sdk_passes_the_conformance_suite(python: Path, tmp_path: Path) -> None:
    endpoint = [str(python), "-m", "tests.support.globus_compute.endpoint", str(tmp_path / "endpoint")]
    assert "18 passed" in run_tests(python, "conformance.py", tmp_path, *endpoint)
