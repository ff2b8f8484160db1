"""Cancelling tasks."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from parsl import bash_app, python_app
from parsl.common.processes import is_alive
from parsl.dataflow.errors import DependencyError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from parsl.dataflow.dflow import DataFlowKernel
    from tests.conftest import WaitUntil


def test_a_running_command_is_ended_with_its_processes(
    kernel: DataFlowKernel, tmp_path: Path, wait_until: WaitUntil
) -> None:
    pids = tmp_path / "pids"

    @bash_app(data_flow_kernel=kernel)
    def command() -> str:
        return f"sleep 1000 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"

    @python_app(data_flow_kernel=kernel)
    def after(x: Any) -> None: ...

    future = command()
    dependent = after(future)
    wait_until(pids.exists)
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(CancelledError):
        future.result(timeout=30)
    with pytest.raises(DependencyError):
        dependent.result(timeout=30)
    wait_until(lambda: not any(is_alive(int(pid)) for pid in pids.read_text().split()))


def test_a_queued_task_is_cancelled_and_never_runs(
    kernel: DataFlowKernel, tmp_path: Path, wait_until: WaitUntil
) -> None:
    release, ran = tmp_path / "release", tmp_path / "ran"

    @bash_app(data_flow_kernel=kernel)
    def blocker() -> str:
        return f"while ! [ -e {release} ]; do sleep 0.02; done"

    @bash_app(data_flow_kernel=kernel)
    def queued() -> str:
        return f"touch {ran}"

    blockers = [blocker() for _ in range(16)]
    future = queued()
    assert future.cancel()
    release.touch()
    for other in blockers:
        other.result(timeout=30)
    with pytest.raises(CancelledError):
        future.result(timeout=30)
    assert not ran.exists()


def test_a_done_task_cannot_be_cancelled(kernel: DataFlowKernel) -> None:
    @bash_app(data_flow_kernel=kernel)
    def command() -> str:
        return "true"

    future = command()
    assert future.result() == 0
    assert not future.cancel()


def test_the_executor_continues_after_cancellations(kernel: DataFlowKernel) -> None:
    @bash_app(data_flow_kernel=kernel)
    def command(seconds: int) -> str:
        return f"sleep {seconds}"

    long = [command(1000) for _ in range(12)]
    short = command(0)
    assert [future.cancel() for future in long] == [True] * 12
    assert short.result(timeout=30) == 0
