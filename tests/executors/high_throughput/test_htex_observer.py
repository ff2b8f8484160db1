"""What a real executor measures, and what it notifies its observer of."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from parsl.app.bash_task import BashTask
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.vocabulary.run_observer import REPORTED_AFTER_S, usage_of
from tests.support.recorder import Recorder
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parsl.executors import HighThroughputExecutor
    from tests.conftest import WaitUntil

MB = 1_000_000


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[HighThroughputExecutor]:
    """A started executor, without a kernel."""
    found = executor(available_accelerators=["0", "1"])
    found.run_dir, found.observer = str(tmp_path), Recorder()
    found.start()
    found.scale_out_facade(1)
    yield found
    found.shutdown()


def recorder_of(htex: HighThroughputExecutor) -> Recorder:
    assert isinstance(htex.observer, Recorder)
    return htex.observer


def fill(size: int) -> int:
    time.sleep(0.01)
    return len(bytes([1]) * size)


def large_result() -> bytes:
    return b"x" * MB


def fail() -> None:
    raise ValueError("on purpose")


def command() -> str:
    return "true"


def test_every_attempt_has_its_accounting(observed: HighThroughputExecutor) -> None:
    short = [observed.submit(os.getpid, {}) for _ in range(20)]
    others = [observed.submit(fill, {}, 200 * MB), observed.submit(large_result, {})]
    raising, bash = observed.submit(fail, {}), observed.submit(BashTask(command), {})
    for future in (*short, *others, raising, bash):
        future.exception(timeout=60)
        assert usage_of(future).run_s > 0
        assert usage_of(future).cpu_s >= 0
        assert usage_of(future).manager == 0
        assert usage_of(future).worker in (0, 1)
    assert usage_of(others[0]).peak_memory > 190 * MB
    assert usage_of(others[0]).run_s >= 0.01
    assert isinstance(raising.exception(), ValueError)
    assert usage_of(bash).peak_memory > 0
    workers = {future.result(): usage_of(future).worker for future in short}
    assert len(workers) == len(set(workers.values())), "each rank is one process"


def test_a_lost_worker_leaves_no_accounting(observed: HighThroughputExecutor) -> None:
    lost = observed.submit(os._exit, {}, 7)
    assert isinstance(lost.exception(timeout=60), WorkerLost)
    assert usage_of(lost) is None


def test_managers_join_with_the_facts_about_their_nodes(
    observed: HighThroughputExecutor, wait_until: WaitUntil
) -> None:
    recorder = recorder_of(observed)
    wait_until(lambda: len(recorder.joined) == 1)
    [facts] = recorder.joined
    assert facts.host == os.uname().nodename
    assert facts.cpu_count == os.cpu_count()
    assert facts.total_memory == psutil.virtual_memory().total
    assert (facts.number, facts.block, facts.workers) == (0, "0", 2)
    assert facts.accelerators == ("0", "1")
    assert psutil.Process(facts.pid).is_running()
    psutil.Process(facts.pid).kill()
    wait_until(lambda: bool(recorder.gone))
    assert recorder.gone[0][0] == 0


def test_only_long_tasks_are_reported_and_again_after_the_loss_of_the_interchange(
    observed: HighThroughputExecutor, tmp_path: Path, wait_until: WaitUntil
) -> None:
    recorder = recorder_of(observed)
    observed.submit(os.getpid, {}).result(timeout=60)
    before = time.time()
    long: Any = observed.submit(tasks.hold, {}, f"{tmp_path}/started", f"{tmp_path}/release")
    wait_until((tmp_path / "started").exists)
    short = [observed.submit(os.getpid, {}) for _ in range(100)]
    wait_until(lambda: bool(recorder.started))
    supervisor = observed.engine.supervisor
    supervisor.process.kill()
    wait_until(lambda: len(recorder.started) == 2, 60, "the report to the replacement")
    (tmp_path / "release").touch()
    assert long.result(timeout=60) > 0
    assert all(future.result(timeout=60) > 0 for future in short)
    assert {future for future, *_ in recorder.started} == {long}
    assert all(before <= moment_s <= time.time() - REPORTED_AFTER_S for _, moment_s, *_ in recorder.started)
    assert {facts.number for facts in recorder.joined} == {0}, "a manager keeps its number"
    assert usage_of(long).manager == 0


def test_running_tasks_are_sampled_with_their_processes_on_request(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    htex = executor(max_workers_per_node=1)
    recorder = htex.observer = Recorder()
    htex.run_dir, htex.resource_interval_s = str(tmp_path), 0.2
    htex.start()
    htex.scale_out_facade(1)
    try:
        assert htex.submit(os.getpid, {}).result(timeout=60) > 0
        long: Any = htex.submit(BashTask(sleeping_command), {})
        wait_until(lambda: any(sample.children for _, _, sample in recorder.samples))
        long.cancel()
    finally:
        htex.shutdown()
    assert {future for future, _, _ in recorder.samples} == {long}
    *_, (_, moment_s, sample) = recorder.samples
    assert sample.memory_resident > MB
    assert time.time() - 60 < moment_s <= time.time()


def sleeping_command() -> str:
    return "sleep 1000; true"
