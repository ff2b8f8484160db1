"""A run that has nothing to do costs next to nothing, even with debug logs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import parsl
from parsl import Config, python_app
from tests.system import run as runs
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

#: The maximum use of a core by a process, and the maximum growth of logs per minute, in bytes.
MAX_OF_A_CORE = 0.01
MAX_LOG_BYTES = 2_000
ROLES = {runs.INTERCHANGE, runs.MANAGER, runs.FORK_SERVER, runs.WORKER}


def used_s() -> dict[tuple[int, str], float]:
    """Return the CPU time of this process and its descendants, in seconds."""
    own = psutil.Process()
    found = {}
    for process in [own, *own.children(recursive=True)]:
        times = process.cpu_times()
        found[process.pid, " ".join(process.cmdline())[:40]] = times.user + times.system
    return found


def log_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_an_idle_run_costs_almost_nothing(
    tmp_path: Path, far: Path, request: pytest.FixtureRequest, wait_until: WaitUntil, way: str
) -> None:
    seconds = request.config.getoption("--seconds")
    run_dir = far if way == "tcp" else tmp_path / "r"
    with parsl.load(Config(executors=[executor(worker_debug=True)], run_dir=str(run_dir))):
        python_app(tasks.add)(1).result(timeout=60)
        # The test's own process counts as the driver, and looks but rarely.
        wait_until(lambda: {role for role in ROLES if runs.titled(role)} >= ROLES)
        time.sleep(1)
        before, logs_before, begin_s = used_s(), log_bytes(run_dir), time.monotonic()
        time.sleep(seconds)  # nothing happens, that is what this is about
        elapsed_s = time.monotonic() - begin_s
        after, logs = used_s(), log_bytes(run_dir)
    assert after.keys() == before.keys()
    parts = {name: (after[name] - before[name]) / elapsed_s for name in after}
    print({f"{name}": f"{part:.4f}" for (_, name), part in parts.items()}, logs - logs_before)
    # Times are counted in ticks of 10 ms: a difference of one tick is noise.
    assert {name: part for name, part in parts.items() if part > MAX_OF_A_CORE + 0.02 / elapsed_s} == {}
    assert logs - logs_before <= MAX_LOG_BYTES * max(1, elapsed_s / 60)
