"""Processes that are stopped for longer than the heartbeat threshold, and then continue."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.providers import LocalProvider
from tests.system import run as runs
from tests.system import tasks
from tests.system.driver import all_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartDriver, StartRun

pytestmark = pytest.mark.slow

THRESHOLD_S = 1.0
TASKS = 300
RETRIES = 3


def note_and_rest(directory: str, number: int) -> int:
    """Runs in a worker."""
    import time

    from tests.system import tasks

    tasks.mark(directory, number)
    time.sleep(0.01)
    return number


def logged(directory: Path, file: str, text: str) -> bool:
    """Whether a log below a directory contains a text."""
    return any(text in path.read_text() for path in directory.rglob(file))


@pytest.mark.parametrize("way", ["local", "tcp"])
@pytest.mark.parametrize(
    "victim",
    [runs.MANAGER, runs.FORK_SERVER, runs.WORKER, runs.INTERCHANGE],
    ids=["manager", "fork server", "worker", "interchange"],
)
def test_no_task_is_lost_and_no_result_comes_twice_after_any_process_was_stopped(
    start_run: StartRun, tmp_path: Path, far: Path, marks: Path, wait_until: WaitUntil, victim: str, way: str
) -> None:
    run = start_run(
        run_dir=far if way == "tcp" else tmp_path / "r",
        heartbeat_period=0.2,
        heartbeat_threshold=THRESHOLD_S,
        strategy="simple",
        retries=RETRIES,
        block_error_handler=False,
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
    )
    run.warm_up()
    interchange = run.only(runs.INTERCHANGE).pid
    futures = [run.call(note_and_rest, str(marks), number) for number in range(TASKS)]
    ended: list[int] = []
    for future in futures:
        future.add_done_callback(lambda done: ended.append(done.task_record.id))
    wait_until(lambda: len(ended) > TASKS // 10)
    stopped = runs.titled(victim)[0]
    stopped.suspend()
    run_dir = far if way == "tcp" else tmp_path / "r"
    has_passed: dict[str, Callable[[], bool]] = {
        runs.MANAGER: lambda: logged(run_dir, "interchange.log", f"no message from it for {THRESHOLD_S:g} s"),
        runs.INTERCHANGE: lambda: logged(run_dir, "manager.log", "no message from the interchange for"),
        # Other processes continue without these; the remaining tasks take longer than the threshold.
        runs.WORKER: lambda: len(ended) >= TASKS - 1,
        runs.FORK_SERVER: lambda: len(ended) == TASKS or not is_alive(stopped.pid),
    }
    wait_until(has_passed[victim], what="the others to continue without the process")
    if is_alive(stopped.pid):  # a manager whose fork server does not answer may have ended with it
        stopped.resume()
    assert [future.result(timeout=60) for future in futures] == list(range(TASKS))
    assert len(ended) == TASKS
    attempts = {str(number): 1 + future.task_record.fail_count for number, future in enumerate(futures)}
    began = tasks.runs(marks)
    assert all(1 <= began[number] <= attempts[number] for number in attempts), (began, attempts)
    assert run.only(runs.INTERCHANGE).pid == interchange
    assert run.send(tasks.add, 1).result(timeout=60) == 1
    wait_until(lambda: len(run.executor.connected_managers()) == 1)
    wait_until(lambda: len(runs.titled(runs.MANAGER)) == 1, 60, "the end of a manager that was given up")
    wait_until(lambda: len(run.workers()) == 2, 60, "two workers and no more")


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_a_stopped_driver_gets_every_result_once(
    start_driver: StartDriver, wait_until: WaitUntil, way: str
) -> None:
    driver = start_driver(
        f"""
        @python_app
        def work(number):
            import os, time
            os.close(os.open("ran.%d" % number, os.O_CREAT | os.O_EXCL))  # a second time would be an error
            time.sleep(0.01)
            return number

        config = make_config(
            over_tcp={way == "tcp"}, heartbeat_period=0.2, heartbeat_threshold={THRESHOLD_S}
        )
        with parsl.load(config):
            futures = [work(number) for number in range(300)]
            futures[30].result()
            open("begun", "w").close()
            assert [future.result() for future in futures] == list(range(300))
            print(len([name for name in os.listdir() if name.startswith("ran.")]))
        """
    )
    wait_until((driver.directory / "begun").exists)
    os.kill(driver.process.pid, signal.SIGSTOP)
    wait_until(
        lambda: len(list(driver.directory.glob("ran.*"))) == 300,
        what="the end of all tasks, later than the threshold",
    )
    os.kill(driver.process.pid, signal.SIGCONT)
    assert driver.wait(60) == 0, driver.output
    assert driver.output == "300\n"
    wait_until(all_gone(driver), 60)
