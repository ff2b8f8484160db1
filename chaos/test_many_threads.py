"""Thirty-two threads submit tasks and make queries at the same time: each receives its own results."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor as Threads
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import Config, python_app
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 32


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_many_threads_submit_and_query_continuously(
    tmp_path: Path, far: Path, request: pytest.FixtureRequest, way: str
) -> None:
    end_s = time.monotonic() + request.config.getoption("--seconds")
    echo = python_app(tasks.echo)
    run_dir = far if way == "tcp" else tmp_path / "r"

    def use(name: int, htex: Any, kernel: Any) -> int:
        rounds = 0
        while time.monotonic() < end_s:
            rounds += 1
            values = [(name, rounds, number, b"x" * (number * 2000)) for number in range(10)]
            futures = [echo(value) for value in values]
            dropped = echo("dropped")
            is_cancelled = dropped.cancel()
            [manager] = htex.connected_managers()
            assert manager["worker_count"] == 2
            assert manager["active"]
            assert htex.connected_blocks() == ["0"]
            assert htex.outstanding() >= 0
            assert all(count >= 0 for count in kernel.task_state_counts.values())
            assert [future.result(timeout=60) for future in futures] == values
            assert all(future.task_status() == "exec_done" for future in futures)
            assert is_cancelled == dropped.cancelled()
        return rounds

    with parsl.load(Config(executors=[executor()], run_dir=str(run_dir))) as kernel:
        assert echo(1).result(timeout=60) == 1
        with Threads(THREADS) as threads:
            users = [threads.submit(use, name, kernel.executors["htex"], kernel) for name in range(THREADS)]
            rounds = [user.result() for user in users]
        kernel.wait_for_current_tasks()
        assert kernel.executors["htex"].outstanding() == 0  # type: ignore[attr-defined]
    print(f"{sum(rounds)} rounds")
    assert min(rounds) > 0
