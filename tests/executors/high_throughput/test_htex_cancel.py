"""Cancelled tasks end wherever they are; every other task runs once."""

from __future__ import annotations

import random
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.dataflow.errors import DependencyError
from tests.system import tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


def test_a_running_task_is_ended_with_all_its_processes(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    future = run.call(tasks.stubborn_family, f"{tmp_path}/pids", tasks.FOREVER_S)
    after = run.call(tasks.echo, future)
    wait_until((tmp_path / "pids").exists)
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(CancelledError):
        future.result()
    with pytest.raises(DependencyError, match="cancelled"):
        after.result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 60)


def test_a_waiting_task_is_cancelled_without_its_dependency(
    start_run: StartRun, tmp_path: Path, marks: Path
) -> None:
    run = start_run(max_workers_per_node=1)
    first = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    waiting = run.call(lambda pid, marks: tasks.mark(marks, "ran"), first, str(marks))
    after = run.call(tasks.echo, waiting)
    assert waiting.cancel()
    with pytest.raises(DependencyError):
        after.result(timeout=30)
    (tmp_path / "release").touch()
    assert first.result(timeout=30) > 0
    assert run.call(tasks.add, 1).result(timeout=30) == 1
    assert tasks.runs(marks) == {}


@pytest.mark.parametrize("prefetch", [0, 100], ids=["at the interchange", "at the manager"])
def test_queued_tasks_never_run(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil, prefetch: int
) -> None:
    run = start_run(max_workers_per_node=1, prefetch_capacity=prefetch)
    running = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    queued = [run.send(tasks.mark, str(marks), i) for i in range(10)]
    wait_until((tmp_path / "started").exists)
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == (11 if prefetch else 1))
    assert all(future.cancel() for future in queued[1::2])
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == (6 if prefetch else 1))
    (tmp_path / "release").touch()
    assert running.result(timeout=30) > 0
    for future in queued[::2]:
        future.result(timeout=30)
    assert tasks.runs(marks) == {str(i): 1 for i in range(0, 10, 2)}


def test_a_task_queued_behind_a_running_one_can_be_cancelled(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    for future in [run.send(tasks.add, i) for i in range(200)]:
        future.result(timeout=30)  # the worker now gets tasks ahead of need
    running = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    behind = [run.send(tasks.mark, str(marks), i) for i in range(10)]
    wait_until((tmp_path / "started").exists)
    assert behind[3].cancel()
    assert behind[7].cancel()
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == 9)
    (tmp_path / "release").touch()
    assert running.result(timeout=30) == int((tmp_path / "started").read_text())
    for i in set(range(10)) - {3, 7}:
        behind[i].result(timeout=30)
    assert tasks.runs(marks) == {str(i): 1 for i in range(10) if i not in (3, 7)}


def test_a_task_queued_behind_a_cancelled_one_runs_on_another_worker(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    for future in [run.send(tasks.add, i) for i in range(200)]:
        future.result(timeout=30)
    running = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    behind = [run.send(tasks.mark, str(marks), i) for i in range(10)]
    wait_until((tmp_path / "started").exists)
    assert running.cancel()
    for future in behind:
        future.result(timeout=30)
    assert tasks.runs(marks) == {str(i): 1 for i in range(10)}


def test_only_cancelled_tasks_have_no_result(start_run: StartRun, marks: Path) -> None:
    run = start_run(max_workers_per_node=3)
    run.warm_up()
    chance = random.Random(7)
    futures = [run.send(tasks.mark, str(marks), i) for i in range(3000)]
    cancelled = {i for i in chance.sample(range(3000), 400) if futures[i].cancel()}
    for i, future in enumerate(futures):
        if i not in cancelled:
            assert future.result(timeout=60) is None
    assert cancelled
    counts = tasks.runs(marks)
    assert set(counts.values()) == {1}
    assert {str(i) for i in range(3000) if i not in cancelled} <= set(counts)


def test_cancelling_does_not_reduce_the_capacity_of_a_manager(
    start_run: StartRun, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=2)
    run.warm_up()
    for _ in range(5):
        futures = [run.send(tasks.sleep_in_c, tasks.FOREVER_S) for _ in range(4)]
        wait_until(lambda: run.executor.connected_managers()[0]["tasks"] >= 2)
        assert all(future.cancel() for future in futures)
    assert run.send(tasks.add, 1).result(timeout=30) == 1
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == 0)
    wait_until(lambda: len(run.workers()) == 2)


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_large_tasks_can_be_cancelled_in_transit(
    start_run: StartRun, tmp_path: Path, far: Path, marks: Path, way: str
) -> None:
    run = start_run(run_dir=far if way == "tcp" else tmp_path / "r")
    run.warm_up()
    load = bytes(3_000_000)
    for _ in range(10):
        futures = [run.send(lambda load: len(load), load) for _ in range(4)]
        kept = run.send(lambda load: len(load), load)
        assert all(isinstance(future.cancel(), bool) for future in futures)
        assert kept.result(timeout=30) == len(load)


def test_functions_with_large_closures_can_be_cancelled(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    for future in [run.send(tasks.add, i) for i in range(200)]:
        future.result(timeout=30)

    def closure(number: int) -> Callable[[], int]:
        text = str(number) * 300_000
        return lambda: len(text)

    for round_ in range(5):
        running = run.send(tasks.hold, f"{tmp_path}/started{round_}", f"{tmp_path}/release")
        behind = [run.send(closure(i)) for i in range(10)]
        wait_until((tmp_path / f"started{round_}").exists)
        assert behind[5].cancel()
        assert running.cancel()
        for i in set(range(10)) - {5}:
            assert behind[i].result(timeout=30) == 300_000
