"""A task that exceeds its walltime is ended with all its processes, and no other task is affected."""

from __future__ import annotations

import platform
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from parsl import bash_app
from parsl.app.errors import AppTimeout
from parsl.common.processes import is_alive
from parsl.dataflow.errors import DependencyError
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.fixtures import StartRun

LIMIT_S = 0.6


def pids_in(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()]


def test_a_task_that_ignores_sigterm_is_ended_with_its_family(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run(max_workers_per_node=1)
    run.warm_up()
    begin_s = time.monotonic()
    stuck = run.call(tasks.stubborn_family, f"{tmp_path}/pids", tasks.FOREVER_S, walltime=LIMIT_S)
    after = run.call(tasks.echo, stuck)
    host = re.escape(platform.node())
    with pytest.raises(
        AppTimeout, match=rf"^Task \d+ \(stubborn_family\), attempt 1: .*0\.6 s on host {host}"
    ):
        stuck.result(timeout=30)
    assert LIMIT_S <= time.monotonic() - begin_s < LIMIT_S + 20
    assert [pid for pid in pids_in(tmp_path / "pids") if is_alive(pid)] == []
    with pytest.raises(DependencyError, match="AppTimeout"):
        after.result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


@pytest.mark.linux
def test_orphans_in_separate_sessions_are_ended_too(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run(max_workers_per_node=1)
    pids = tmp_path / "pids"

    @bash_app(data_flow_kernel=run.kernel)
    def daemon(walltime: float = LIMIT_S) -> str:
        line = f"echo $$ > {pids}; exec sleep 1000"
        return f"setsid sh -c '{line}' >/dev/null 2>&1 & wait $!; sleep 1000"

    @bash_app(data_flow_kernel=run.kernel)
    def orphan(walltime: float = LIMIT_S) -> str:
        return f"(trap '' TERM; setsid sleep 1000 & echo $! > {pids}2); sleep 1000"

    with pytest.raises(AppTimeout):
        daemon().result(timeout=30)
    assert [pid for pid in pids_in(pids) if is_alive(pid)] == []
    with pytest.raises(AppTimeout):
        orphan().result(timeout=30)
    assert [pid for pid in pids_in(tmp_path / "pids2") if is_alive(pid)] == []


def test_a_task_that_catches_everything_is_ended(start_run: StartRun) -> None:
    run = start_run(max_workers_per_node=1)

    def cannot_be_stopped() -> None:
        import time

        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                continue

    future = run.call(cannot_be_stopped, walltime=LIMIT_S)
    with pytest.raises(AppTimeout):
        future.result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_timed_out_tasks_are_retried(start_run: StartRun, marks: Path) -> None:
    run = start_run(retries=1)

    def slow_once(marks: str) -> str:
        tasks.mark(marks, "run")
        if len(tasks.runs(__import__("pathlib").Path(marks))) and len(__import__("os").listdir(marks)) > 1:
            return "in time"
        tasks.sleep_in_c(1000)
        return "too late"

    assert run.call(slow_once, str(marks), walltime=LIMIT_S).result(timeout=30) == "in time"


def test_short_tasks_around_timeouts_all_run_once(start_run: StartRun, marks: Path) -> None:
    run = start_run(max_workers_per_node=3)
    run.warm_up()
    futures: dict[int, Any] = {}
    for i in range(900):
        if i % 100 == 99:
            futures[i] = run.send(tasks.sleep_in_c, 1000, walltime_s=0.05)
        else:
            futures[i] = run.send(tasks.mark, str(marks), i, walltime_s=30)
    for i, future in futures.items():
        error = future.exception(timeout=60)
        assert isinstance(error, AppTimeout) if i % 100 == 99 else error is None
    assert tasks.runs(marks) == {str(i): 1 for i in range(900) if i % 100 != 99}


def test_a_walltime_that_is_never_reached_changes_nothing(start_run: StartRun) -> None:
    run = start_run()
    assert run.call(tasks.add, 1, walltime=1000).result(timeout=30) == 1


@pytest.mark.parametrize("answer", ["raises", "returns", "returns much"])
def test_a_tasks_reaction_to_its_end_does_not_count(start_run: StartRun, answer: str) -> None:
    run = start_run(max_workers_per_node=1)

    def answers_sigterm(answer: str) -> object:
        import signal
        import time

        def on_sigterm(number: int, frame: object) -> None:
            raise ValueError("ended by a signal")

        signal.signal(signal.SIGTERM, on_sigterm)
        try:
            time.sleep(1000)
        except ValueError:
            if answer == "raises":
                raise
        return bytes(1_000_000 if answer == "returns much" else 1)

    with pytest.raises(AppTimeout):
        run.call(answers_sigterm, answer, walltime=LIMIT_S).result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1
