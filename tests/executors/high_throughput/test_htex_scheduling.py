"""The order of tasks: no task waits behind another while a worker is free; priorities are respected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parsl.providers import LocalProvider
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


def log_line(path: str, line: str) -> None:
    with open(path, "a") as log:
        log.write(f"{line}\n")


def test_a_long_task_after_short_ones_delays_no_other(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run()
    for future in [run.send(tasks.add, i) for i in range(500)]:
        future.result(timeout=30)
    shorts = []
    for i in range(400):
        if i == 37:
            long = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
        shorts.append(run.send(tasks.add, i))
    assert [future.result(timeout=30) for future in shorts] == list(range(400))
    assert not long.done()
    (tmp_path / "release").touch()
    assert long.result(timeout=30) > 0


def test_tasks_that_were_fetched_ahead_move_to_a_free_worker(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=4)
    for future in [run.send(tasks.add, i) for i in range(500)]:
        future.result(timeout=30)
    held = [run.send(tasks.hold, f"{tmp_path}/{i}", f"{tmp_path}/release{i}") for i in range(4)]
    wait_until(lambda: all((tmp_path / str(i)).exists() for i in range(4)))
    assert len({(tmp_path / str(i)).read_text() for i in range(4)}) == 4
    shorts = [run.send(tasks.worker_pid) for _ in range(50)]
    (tmp_path / "release2").touch()
    assert {future.result(timeout=30) for future in shorts} == {held[2].result(timeout=30)}
    for i in (0, 1, 3):
        (tmp_path / f"release{i}").touch()


def test_lower_priorities_run_first(start_run: StartRun, tmp_path: Path, wait_until: WaitUntil) -> None:
    run = start_run(max_workers_per_node=1)
    held = run.send(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    log = str(tmp_path / "log")
    order = [None, 5, 1, None, 3, 1, -2.5, 5]
    futures = []
    for number, priority in enumerate(order):
        resources = {} if priority is None else {"priority": priority}
        futures.append(run.send(log_line, log, f"{priority}#{number}", **resources))
    run.executor.connected_managers()  # the reply proves that the interchange has all of them
    (tmp_path / "release").touch()
    for future in [held, *futures]:
        future.result(timeout=30)
    assert Path(log).read_text().split() == [
        "-2.5#6", "1#2", "1#5", "3#4", "5#1", "5#7", "None#0", "None#3",
    ]  # fmt: skip


def test_priorities_reach_the_workers_from_apps(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    held = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    log = str(tmp_path / "log")
    futures = [
        run.call(log_line, log, str(n), parsl_resource_specification={"priority": n}) for n in (3, 1, 2)
    ]
    run.executor.connected_managers()  # the reply proves that the interchange has all of them
    (tmp_path / "release").touch()
    for future in [held, *futures]:
        future.result(timeout=30)
    assert Path(log).read_text().split() == ["1", "2", "3"]


def test_work_is_spread_over_the_managers(start_run: StartRun, tmp_path: Path, wait_until: WaitUntil) -> None:
    run = start_run(provider=LocalProvider(init_blocks=3, max_blocks=3), max_workers_per_node=1)
    wait_until(lambda: len(run.executor.connected_blocks()) == 3)
    held = [run.send(tasks.hold, f"{tmp_path}/{i}", f"{tmp_path}/release") for i in range(3)]
    wait_until(lambda: all((tmp_path / str(i)).exists() for i in range(3)))
    (tmp_path / "release").touch()
    assert len({future.result(timeout=30) for future in held}) == 3


def test_tasks_are_fetched_ahead_on_request(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=2, prefetch_capacity=5)
    held = [run.send(tasks.hold, f"{tmp_path}/{i}", f"{tmp_path}/release") for i in range(20)]
    wait_until(lambda: run.executor.connected_managers() != [])
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == 7)
    (tmp_path / "release").touch()
    for future in held:
        future.result(timeout=30)
