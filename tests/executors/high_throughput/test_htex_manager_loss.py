"""When a manager or its fork server is lost, its tasks fail or are retried, and its workers end."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import psutil
import pytest

from parsl.common.processes import is_alive
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.providers import LocalProvider
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_tasks_fail_with_the_cause_and_processes_end(
    start_run: StartRun, tmp_path: Path, far: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=far if way == "tcp" else tmp_path / "r", block_error_handler=False)
    future = run.call(tasks.stubborn_family, f"{tmp_path}/pids", tasks.FOREVER_S)
    wait_until((tmp_path / "pids").exists)
    [manager] = run.executor.connected_managers()
    run.only(runs.MANAGER).kill()
    with pytest.raises(ManagerLost, match=platform.node()) as caught:
        future.result(timeout=30)
    assert caught.value.hostname == platform.node()
    assert caught.value.manager_id == manager["manager"]
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 60)
    wait_until(lambda: not runs.titled(runs.WORKER) and not runs.titled(runs.FORK_SERVER), 60)
    assert run.executor.connected_managers() == []


@pytest.mark.parametrize("victim", [runs.MANAGER, runs.FORK_SERVER], ids=["manager", "fork server"])
def test_a_lost_task_is_retried_in_the_next_block(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil, victim: str
) -> None:
    provider = LocalProvider(init_blocks=1, max_blocks=1, min_blocks=1)
    run = start_run(retries=1, strategy="simple", provider=provider, block_error_handler=False)

    def hold_once(started: str) -> str:
        import os
        import time

        try:
            os.close(os.open(started, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return "the second time"
        time.sleep(1000)
        return "the first time"

    future = run.call(hold_once, f"{tmp_path}/started")
    wait_until((tmp_path / "started").exists)
    run.only(victim).kill()
    assert future.result(timeout=30) == "the second time"
    assert run.executor.connected_blocks() == ["1"]


def test_the_loss_of_one_of_two_managers_leaves_the_tasks_of_the_other(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(provider=LocalProvider(init_blocks=2, max_blocks=2), max_workers_per_node=1)
    wait_until(lambda: len(run.executor.connected_blocks()) == 2)
    held = [run.send(tasks.hold, f"{tmp_path}/{i}", f"{tmp_path}/release") for i in range(2)]
    wait_until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
    worker = psutil.Process(int((tmp_path / "0").read_text()))
    worker.parent().parent().kill()
    with pytest.raises(ManagerLost):
        held[0].result(timeout=30)
    (tmp_path / "release").touch()
    assert held[1].result(timeout=30) == int((tmp_path / "1").read_text())
    assert run.send(tasks.add, 1).result(timeout=30) == 1


def test_a_lost_fork_server_fails_the_tasks_of_its_workers(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(block_error_handler=False)
    future = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    wait_until((tmp_path / "started").exists)
    run.only(runs.FORK_SERVER).kill()
    with pytest.raises(ManagerLost, match="fork server"):
        future.result(timeout=30)
    wait_until(lambda: not runs.titled(runs.WORKER) and not runs.titled(runs.MANAGER), 60)


def test_a_silent_manager_is_given_up_and_cannot_deliver_results_twice(
    start_run: StartRun, far: Path, marks: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(
        run_dir=far,
        heartbeat_period=0.2,
        heartbeat_threshold=1,
        block_error_handler=False,
        max_workers_per_node=1,
    )

    def hold_and_mark(started: str, release: str, marks: str) -> str:
        tasks.hold(started, release)
        tasks.mark(marks, "held")
        return "held"

    future = run.send(hold_and_mark, f"{tmp_path}/started", f"{tmp_path}/release", str(marks))
    wait_until((tmp_path / "started").exists)
    manager = run.only(runs.MANAGER)
    manager.suspend()
    with pytest.raises(ManagerLost, match="no message from it for 1 s"):
        future.result(timeout=30)
    (tmp_path / "release").touch()
    wait_until(lambda: tasks.runs(marks) == {"held": 1})
    manager.resume()
    manager.wait(timeout=60)
    wait_until(lambda: not run.workers(), 60)
    assert is_alive(run.only(runs.INTERCHANGE).pid)


def test_a_manager_exits_when_the_interchange_is_silent(
    start_run: StartRun, far: Path, wait_until: WaitUntil
) -> None:
    run = start_run(run_dir=far, heartbeat_period=0.2, heartbeat_threshold=1, block_error_handler=False)
    run.warm_up()
    manager, interchange = run.only(runs.MANAGER), run.only(runs.INTERCHANGE)
    interchange.suspend()
    manager.wait(timeout=60)
    interchange.resume()
    wait_until(lambda: not run.workers(), 60)
    wait_until(lambda: run.executor.connected_managers() == [], 60)


@pytest.mark.slow
def test_heartbeats_keep_an_idle_connection(start_run: StartRun, far: Path, tmp_path: Path) -> None:
    run = start_run(run_dir=far, heartbeat_period=0.2, heartbeat_threshold=4)
    run.warm_up()
    [before] = run.executor.connected_managers()
    assert run.send(tasks.sleep_in_c, 5).result(timeout=60) is None
    [after] = run.executor.connected_managers()
    assert after["manager"] == before["manager"]
