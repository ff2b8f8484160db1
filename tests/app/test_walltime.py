"""A task that exceeds its walltime is ended, whatever it does, and the next one runs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from parsl import bash_app, python_app
from parsl.app.errors import AppTimeout
from parsl.app.python import timeout
from parsl.common.processes import is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from parsl.dataflow.dflow import DataFlowKernel

#: Far longer than any test takes: a task that sleeps so long must be ended.
FOREVER_S = 1000


def pids_in(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()]


def test_python_code_is_interrupted(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def spin(walltime: float = 0.2) -> None:
        while True:
            pass

    with pytest.raises(AppTimeout, match=r"walltime.* 0\.2"):
        spin().result(timeout=30)


def test_code_that_sleeps_in_c_does_not_delay_the_failure(kernel: DataFlowKernel, tmp_path: Path) -> None:
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)

    @python_app(data_flow_kernel=kernel)
    def wait(fifo: str, walltime: float = 0.2) -> None:
        import os

        os.close(os.open(fifo, os.O_RDONLY))

    try:
        with pytest.raises(AppTimeout):
            wait(fifo).result(timeout=30)
    finally:
        with contextlib.suppress(OSError):  # no process reads the output of a killed worker
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("make", [python_app, bash_app])
def test_the_error_names_task_attempt_and_host(kernel: DataFlowKernel, make: Any) -> None:
    @make(data_flow_kernel=kernel)
    def command(walltime: float = 0.2) -> str:
        while make is python_app:
            pass
        return "sleep 1000"

    host = re.escape(platform.node())
    with pytest.raises(
        AppTimeout, match=rf"^Task \d+ \(command\), attempt 1: .*walltime.* 0\.2 .*host {host}"
    ):
        command().result(timeout=30)


def test_the_executor_continues_after_timeouts(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def sleep(walltime: float = 0.1) -> None:
        import time

        time.sleep(3)

    @python_app(data_flow_kernel=kernel)
    def double(x: int) -> int:
        return 2 * x

    stuck = [sleep() for _ in range(8)]
    fine = [double(x) for x in range(8)]
    for future in stuck:
        with pytest.raises(AppTimeout):
            future.result(timeout=30)
    assert [future.result(timeout=30) for future in fine] == [2 * x for x in range(8)]


@pytest.mark.parametrize(
    "line",
    [
        "echo $$ > {pids}; exec sleep 1000",
        "sleep 1000 & echo $$ $! > {pids}; wait",
        "trap '' TERM; sleep 1000 & echo $$ $! > {pids}; wait; sleep 1000",
        "(setsid sleep 1000 & echo $! > {pids}; wait) ; sleep 1000",
        "(sleep 1000 & echo $! > {pids}); sleep 1000",
    ],
    ids=["plain", "child", "deaf to SIGTERM", "session of its own", "orphan"],
)
def test_a_command_is_ended_with_all_its_processes(kernel: DataFlowKernel, tmp_path: Path, line: str) -> None:
    pids = tmp_path / "pids"

    @bash_app(data_flow_kernel=kernel)
    def command(walltime: float = 0.8) -> str:
        return line.format(pids=pids)

    with pytest.raises(AppTimeout, match=r"command|walltime"):
        command().result(timeout=30)
    assert [pid for pid in pids_in(pids) if is_alive(pid)] == []


def test_a_task_in_time_is_left_alone(kernel: DataFlowKernel) -> None:
    @bash_app(data_flow_kernel=kernel)
    def command(walltime: float = FOREVER_S) -> str:
        return "true"

    @python_app(data_flow_kernel=kernel)
    def function(walltime: float = FOREVER_S) -> int:
        return 1

    assert command().result(timeout=30) == 0
    assert function().result(timeout=30) == 1


def test_the_walltime_does_not_count_the_wait_for_a_worker(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def short(walltime: float = 0.9) -> None:
        import time

        time.sleep(0.1)

    for future in [short() for _ in range(48)]:
        future.result(timeout=30)


def test_timeout_limits_a_plain_function() -> None:
    def spin() -> None:
        while True:
            pass

    with pytest.raises(AppTimeout, match=r"spin exceeded walltime: 0\.1 seconds"):
        timeout(spin, 0.1)()
    assert timeout(lambda x: x, FOREVER_S)(3) == 3


def test_timeout_leaves_a_timeout_of_the_function_alone() -> None:
    def inner() -> None:
        raise AppTimeout("its own")

    with pytest.raises(AppTimeout, match="its own"):
        timeout(inner, FOREVER_S)()


def test_timeout_does_not_affect_code_after_the_function() -> None:
    def takes(duration_s: float) -> str:
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            pass
        return "done"

    limited = timeout(takes, 0.01)
    outcomes: dict[Any, int] = {}
    for step in range(100):
        try:
            outcome: Any = limited(0.0095 + step * 0.00001)
        except AppTimeout:
            outcome = AppTimeout
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert set(outcomes) <= {"done", AppTimeout}
    assert sum(outcomes.values()) == 100
