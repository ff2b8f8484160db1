"""RadicalPilotExecutor: its parameters here, and a real pilot in an environment of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parsl.errors import OptionalModuleMissing
from parsl.executors import RadicalPilotExecutor
from parsl.executors.radical import ResourceConfig
from parsl.validate import ParameterError
from tests.support.engine_environments import (
    RADICAL_PILOT,
    ROOT,
    TEST_LIMIT_S,
    Unavailable,
    python_of,
    variables,
)
from tests.support.simulated_hosts import NAMESPACES, why_not


def test_the_size_of_the_pilot_is_that_of_the_configuration() -> None:
    config = ResourceConfig(workers=2, worker_cores_per_node=8, worker_gpus_per_node=1)
    assert (config.cores, config.gpus) == (16, 2)
    assert ResourceConfig(pilot_env_path="/opt/env/").python == "/opt/env/bin/python"


def test_packages_are_not_installed() -> None:
    with pytest.raises(ParameterError, match="install packages beforehand"):
        RadicalPilotExecutor("local.localhost", rpex_cfg=ResourceConfig(pilot_env_setup=["numpy"]))


def test_a_missing_package_is_named_with_the_line_to_type(tmp_path: Path) -> None:
    executor = RadicalPilotExecutor("local.localhost")
    executor.run_dir = str(tmp_path)
    with pytest.raises(OptionalModuleMissing, match=r"pip install 'parsl\[radical\]'"):
        executor.start()
    executor.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(TEST_LIMIT_S)
@pytest.mark.linux
def test_a_real_pilot(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    try:
        python = python_of(RADICAL_PILOT)
    except Unavailable as error:
        pytest.skip(str(error))
    home = tmp_path / "home"
    home.mkdir()
    program = ROOT / "tests" / "support" / "radical_pilot" / "pilot.py"
    prepare = 'ip link set lo up && exec "$@"'
    command = [
        str(python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--rootdir={ROOT}",
        f"--basetemp={tmp_path}/tmp", str(program),
    ]  # fmt: skip
    done = subprocess.run(
        ["unshare", *NAMESPACES, "sh", "-c", prepare, "sh", *command],
        cwd=tmp_path,
        env={**variables(python), "HOME": str(home)},  # RADICAL-Pilot writes there
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
