"""Blocks scale out with the load, and in without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import parsl
from parsl import Config, python_app
from parsl.providers import LocalProvider
from tests.system import tasks
from tests.system.run import MANAGER, executor, titled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil


@pytest.mark.parametrize("strategy", ["simple", "htex_auto_scale"])
def test_blocks_follow_the_load(tmp_path: Path, wait_until: WaitUntil, strategy: str) -> None:
    provider = LocalProvider(init_blocks=0, min_blocks=0, max_blocks=3)
    htex = executor(provider=provider, max_workers_per_node=1)
    config = Config(
        executors=[htex],
        strategy=strategy,
        strategy_period=0.1,
        max_idletime=0.3,
        run_dir=str(tmp_path / "r"),
    )
    hold, add = python_app(tasks.hold), python_app(tasks.add)
    with parsl.load(config):
        assert titled(MANAGER) == []
        held = [hold(f"{tmp_path}/{n}", f"{tmp_path}/release") for n in range(5)]
        wait_until(lambda: len(htex.connected_blocks()) == 3)
        wait_until(lambda: sum(manager["tasks"] for manager in htex.connected_managers()) == 3)
        assert not any(future.done() for future in held)
        (tmp_path / "release").touch()
        for future in held:
            future.result(timeout=30)
        wait_until(lambda: htex.connected_managers() == [] and titled(MANAGER) == [])
        assert add(1).result(timeout=30) == 1


def test_min_blocks_are_kept(tmp_path: Path, wait_until: WaitUntil) -> None:
    provider = LocalProvider(init_blocks=2, min_blocks=1, max_blocks=2)
    htex = executor(provider=provider, max_workers_per_node=1)
    config = Config(
        executors=[htex],
        strategy="htex_auto_scale",
        strategy_period=0.1,
        max_idletime=0.2,
        run_dir=str(tmp_path / "r"),
    )
    with parsl.load(config):
        assert len(htex.blocks_to_job_id) == 2
        wait_until(lambda: len(htex.blocks.views()) == len(htex.connected_blocks()) == 1)
        assert python_app(tasks.add)(1).result(timeout=30) == 1


def test_a_busy_block_is_never_scaled_in(tmp_path: Path, wait_until: WaitUntil) -> None:
    provider = LocalProvider(init_blocks=2, min_blocks=0, max_blocks=2)
    htex = executor(provider=provider, max_workers_per_node=1)
    config = Config(
        executors=[htex],
        strategy="htex_auto_scale",
        strategy_period=0.1,
        max_idletime=0.1,
        run_dir=str(tmp_path / "r"),
    )
    with parsl.load(config):
        held = python_app(tasks.hold)(f"{tmp_path}/started", f"{tmp_path}/release")
        wait_until((tmp_path / "started").exists)
        wait_until(lambda: len(htex.connected_blocks()) == 1)
        assert not held.done()
        (tmp_path / "release").touch()
        assert held.result(timeout=30) > 0


def test_without_a_strategy_the_initial_blocks_are_kept(tmp_path: Path, wait_until: WaitUntil) -> None:
    htex = executor(provider=LocalProvider(init_blocks=2, max_blocks=4), max_workers_per_node=1)
    config = Config(executors=[htex], strategy="none", max_idletime=0.1, run_dir=str(tmp_path / "r"))
    with parsl.load(config):
        futures = [python_app(tasks.add)(n) for n in range(50)]
        assert [future.result(timeout=30) for future in futures] == list(range(50))
        wait_until(lambda: htex.connected_blocks() == ["0", "1"])


def test_the_first_block_waits_for_no_timer(tmp_path: Path) -> None:
    htex = executor()
    config = Config(executors=[htex], strategy_period=1000, run_dir=str(tmp_path / "r"))
    with parsl.load(config):
        assert python_app(tasks.add)(1).result(timeout=60) == 1
