"""When the interchange is gone every future says so, and the run can still be ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from parsl.dataflow.errors import DependencyError
from parsl.executors.errors import BadStateException
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


@pytest.mark.parametrize("way", ["local", "tcp"])
def test_all_futures_fail_and_later_ones_too(
    start_run: StartRun, tmp_path: Path, far: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=far if way == "tcp" else tmp_path / "r", max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    queued = [run.call(tasks.add, i) for i in range(20)]
    waiting = run.call(tasks.echo, running)
    wait_until((tmp_path / "started").exists)
    run.only(runs.INTERCHANGE).kill()
    begin_s = time.monotonic()
    for future in [running, *queued]:
        with pytest.raises(BadStateException, match=r"interchange(.|\n)*signal 9"):
            future.result(timeout=30)
    with pytest.raises(DependencyError, match="interchange"):
        waiting.result(timeout=30)
    assert time.monotonic() - begin_s < 30
    with pytest.raises(BadStateException, match="interchange"):
        run.call(tasks.add, 1).result(timeout=30)
    wait_until(lambda: not runs.titled("parsl: HTEX"), 60)
    begin_s = time.monotonic()
    run.close()
    assert time.monotonic() - begin_s < 30


def test_questions_fail_in_time(start_run: StartRun) -> None:
    run = start_run()
    run.warm_up()
    run.only(runs.INTERCHANGE).kill()
    begin_s = time.monotonic()
    with pytest.raises(Exception, match="interchange"):
        run.executor.connected_managers()
    assert time.monotonic() - begin_s < 30


def test_an_interchange_that_hangs_is_killed_at_the_end(start_run: StartRun) -> None:
    run = start_run()
    run.warm_up()
    run.only(runs.INTERCHANGE).suspend()
    begin_s = time.monotonic()
    run.executor.shutdown(timeout=0.5)
    assert time.monotonic() - begin_s < 30
    assert runs.titled("parsl: HTEX") == []
