"""A lost interchange is replaced, and no task is lost or run twice because of the loss."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from parsl.dataflow.errors import DependencyError
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.driver import supervisor as supervisor_module
from parsl.executors.high_throughput.driver.supervisor import MAX_LOSSES
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.providers import LocalProvider
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun
    from tests.system.run import Run

WAYS = pytest.mark.parametrize("way", ["local", "tcp"])


def kill_interchange(run: Run, wait_until: WaitUntil) -> None:
    """Kill the interchange once it serves, and wait for its replacement."""
    supervisor = run.executor.engine.supervisor
    wait_until(lambda: supervisor.process.is_ready, what="an interchange that serves")
    before = supervisor.process
    before.kill()
    wait_until(lambda: supervisor.process is not before, what="another interchange")


def run_to(directory: Path, far: Path, way: str) -> Path:
    return far if way == "tcp" else directory / "r"


@WAYS
def test_no_task_is_lost_or_runs_twice(
    start_run: StartRun, tmp_path: Path, far: Path, marks: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=run_to(tmp_path, far, way), max_workers_per_node=4)
    release = tmp_path / "release"
    running = [run.call(tasks.hold, f"{tmp_path}/started{i}", f"{release}") for i in range(4)]
    queued = [run.call(tasks.mark, str(marks), i) for i in range(2000)]
    after = run.call(tasks.echo, running[0])
    wait_until(lambda: all((tmp_path / f"started{i}").exists() for i in range(4)))
    kill_interchange(run, wait_until)
    release.touch()
    pids = {future.result(timeout=60) for future in running}
    assert len(pids) == 4, "they ran on in the workers that they had"
    assert after.result(timeout=60) in pids
    for future in queued:
        future.result(timeout=60)
    assert tasks.runs(marks) == {str(i): 1 for i in range(2000)}
    assert [manager["tasks"] for manager in run.executor.connected_managers()] == [0]


@WAYS
def test_no_short_task_is_lost_or_runs_twice(
    start_run: StartRun, tmp_path: Path, far: Path, marks: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=run_to(tmp_path, far, way))
    futures = [run.call(tasks.mark, str(marks), i) for i in range(1500)]
    for done in (1, 500):
        wait_until(lambda done=done: sum(future.done() for future in futures) >= done)
        kill_interchange(run, wait_until)
    for future in futures:
        future.result(timeout=60)
    assert tasks.runs(marks) == {str(i): 1 for i in range(1500)}


@WAYS
def test_large_payloads_in_transit_arrive(
    start_run: StartRun, tmp_path: Path, far: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=run_to(tmp_path, far, way), max_workers_per_node=1)
    release = tmp_path / "release"
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{release}")
    blocks = [bytearray(os.urandom(200_000)) for _ in range(20)]
    futures = [run.call(tasks.echo, block) for block in blocks]
    wait_until((tmp_path / "started").exists)
    kill_interchange(run, wait_until)
    release.touch()
    assert running.result(timeout=60) > 0
    assert [future.result(timeout=60) for future in futures] == blocks


def test_an_interchange_can_be_lost_before_the_first_manager_connects(
    start_run: StartRun, wait_until: WaitUntil
) -> None:
    run = start_run()
    futures = [run.call(tasks.add, i) for i in range(10)]
    kill_interchange(run, wait_until)
    assert [future.result(timeout=60) for future in futures] == list(range(10))


def test_a_task_that_is_cancelled_during_the_replacement_is_ended(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    queued = run.call(tasks.add, 1)
    wait_until((tmp_path / "started").exists)
    manager = run.only(runs.MANAGER)
    manager.suspend()
    kill_interchange(run, wait_until)
    assert running.cancel()
    manager.resume()
    assert queued.result(timeout=60) == 1
    wait_until(lambda: run.executor.connected_managers()[0]["tasks"] == 0)
    assert run.executor.outstanding() == 0


def test_the_replacement_does_not_wait_for_a_manager_that_is_lost_too(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil
) -> None:
    """The manager's job ends with it; tasks that it may have held go to the next block."""
    run = start_run(max_workers_per_node=1, strategy="simple", heartbeat_threshold=1000, heartbeat_period=30)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    queued = [run.call(tasks.mark, str(marks), i) for i in range(10)]
    wait_until((tmp_path / "started").exists)
    manager = run.only(runs.MANAGER)
    manager.suspend()
    kill_interchange(run, wait_until)
    manager.kill()
    (tmp_path / "release").touch()
    assert running.result(timeout=60) > 0
    for future in queued:
        future.result(timeout=60)
    assert tasks.runs(marks) == {str(i): 1 for i in range(10)}


@pytest.mark.linux
@pytest.mark.parametrize("retries", [0, 1])
def test_arguments_that_were_lost_with_their_manager_are_not_the_tasks_fault(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil, retries: int
) -> None:
    """The first reader of a file in memory removes it. The task is offered again, without its arguments."""
    provider = LocalProvider(init_blocks=2, max_blocks=2)
    run = start_run(max_workers_per_node=1, retries=retries, provider=provider, heartbeat_threshold=1000)
    wait_until(lambda: len(run.executor.connected_blocks()) == 2)
    started = tmp_path / "started"
    future = run.call(hold_the_first_time, str(started), bytes(1_000_000))
    wait_until(started.exists)
    manager = psutil.Process(int(started.read_text())).parent().parent()
    manager.suspend()
    kill_interchange(run, wait_until)
    manager.kill()
    if retries:
        assert future.result(timeout=60) == 1_000_000
    else:
        with pytest.raises(
            ManagerLost, match=r"file in memory .* is gone.* lost together with the interchange"
        ):
            future.result(timeout=60)


def hold_the_first_time(started: str, payload: bytes) -> int:
    if not os.path.exists(started):
        tasks.hold(started, "/nowhere")
    return len(payload)


def test_requests_are_sent_again(start_run: StartRun, wait_until: WaitUntil) -> None:
    run = start_run()
    run.warm_up()
    interchange = run.only(runs.INTERCHANGE)
    interchange.suspend()
    connection = run.executor.engine.connection
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(run.executor.connected_managers)
        wait_until(lambda: "requests=1" in repr(connection))
        interchange.kill()
        assert len(request.result(timeout=60)) == 1


def test_no_timer_runs_once_the_replacement_serves(start_run: StartRun, wait_until: WaitUntil) -> None:
    run = start_run()
    run.warm_up()
    kill_interchange(run, wait_until)
    supervisor = run.executor.engine.supervisor
    wait_until(lambda: supervisor.process.is_ready)
    wait_until(lambda: not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()), 30)


def test_no_timer_runs_after_the_shutdown(
    start_run: StartRun, command: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(interchange_launch_cmd=[str(command)])
    run.warm_up()
    command.write_text("#!/bin/sh\nexec sleep 1000\n")
    supervisor = run.executor.engine.supervisor
    first = supervisor.process
    run.only(runs.INTERCHANGE).kill()
    wait_until(lambda: supervisor.process is not first)
    run.executor.shutdown(0.1)
    wait_until(lambda: not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()), 30)


@WAYS
def test_after_repeated_losses_all_tasks_fail_and_later_ones_too(
    start_run: StartRun, tmp_path: Path, far: Path, wait_until: WaitUntil, way: str
) -> None:
    run = start_run(run_dir=run_to(tmp_path, far, way), max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    queued = [run.call(tasks.add, i) for i in range(20)]
    waiting = run.call(tasks.echo, running)
    wait_until((tmp_path / "started").exists)
    for _ in range(MAX_LOSSES - 1):
        kill_interchange(run, wait_until)
    supervisor = run.executor.engine.supervisor
    wait_until(lambda: supervisor.process.is_ready)
    supervisor.process.kill()
    for future in [running, *queued]:
        with pytest.raises(
            BadStateException, match=r"interchange(.|\n)*signal 9, as 2 before it within 60 s"
        ):
            future.result(timeout=30)
    with pytest.raises(DependencyError, match="interchange"):
        waiting.result(timeout=30)
    with pytest.raises(BadStateException, match="interchange"):
        run.call(tasks.add, 1).result(timeout=30)
    if way == "local":  # managers give up after the heartbeat threshold
        wait_until(lambda: not runs.titled("parsl: HTEX"))
    run.close()


def test_an_interchange_that_never_served_is_not_replaced(start_run: StartRun) -> None:
    run = start_run(interchange_launch_cmd=["bash", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(BadStateException, match=r"ended with exit code 3\.(.|\n)*no such thing"):
        run.call(tasks.add, 1).result(timeout=60)


def test_a_replacement_that_does_not_serve_counts_as_a_loss(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "READY_WITHIN_S", 0.5)
    script = tmp_path / "interchange"
    flag = tmp_path / "hang"
    script.write_text(
        f"#!/bin/sh\n[ -e {flag} ] && exec sleep 1000\n"
        f'exec {sys.executable} -m parsl.executors.high_throughput.interchange.command "$@"\n'
    )
    script.chmod(0o755)
    run = start_run(interchange_launch_cmd=[str(script)])
    run.warm_up()
    flag.touch()
    future = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    kill_interchange(run, wait_until)
    with pytest.raises(BadStateException, match="as 2 before it within 60 s"):
        future.result(timeout=60)


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A command for the interchange that tests can remove."""
    script = tmp_path / "interchange"
    script.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m parsl.executors.high_throughput.interchange.command "$@"\n'
    )
    script.chmod(0o755)
    return script


def kill_while_none_can_be_started(run: Run, command: Path, wait_until: WaitUntil) -> None:
    supervisor = run.executor.engine.supervisor
    wait_until(lambda: supervisor.process.is_ready, what="an interchange that serves")
    command.rename(f"{command}.away")
    supervisor.process.kill()
    wait_until(lambda: supervisor.failed_start, what="an attempt in vain")


def test_a_failed_start_of_a_replacement_is_retried(
    start_run: StartRun, tmp_path: Path, marks: Path, wait_until: WaitUntil, command: Path
) -> None:
    run = start_run(interchange_launch_cmd=[str(command)], max_workers_per_node=1)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    queued = [run.call(tasks.mark, str(marks), i) for i in range(20)]
    wait_until((tmp_path / "started").exists)
    kill_while_none_can_be_started(run, command, wait_until)
    queued += [run.call(tasks.mark, str(marks), i) for i in range(20, 40)]
    Path(f"{command}.away").rename(command)
    (tmp_path / "release").touch()
    assert running.result(timeout=60) > 0
    for future in queued:
        future.result(timeout=60)
    assert tasks.runs(marks) == {str(i): 1 for i in range(40)}


def test_tasks_fail_with_the_reason_if_no_replacement_can_be_started(
    start_run: StartRun, wait_until: WaitUntil, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "START_AGAIN_AFTER_S", (0.01, 0.01))
    run = start_run(interchange_launch_cmd=[str(command)])
    future = run.call(time.sleep, tasks.FOREVER_S)
    kill_while_none_can_be_started(run, command, wait_until)
    with pytest.raises(BadStateException, match=r"Another could not be started(.|\n)*No such file"):
        future.result(timeout=60)


def test_a_shutdown_does_not_wait_for_the_start_of_a_replacement(
    start_run: StartRun, wait_until: WaitUntil, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "START_AGAIN_AFTER_S", (tasks.FOREVER_S,))
    run = start_run(interchange_launch_cmd=[str(command)])
    run.warm_up()
    kill_while_none_can_be_started(run, command, wait_until)
    run.close()
    assert not run.executor.engine.connection.is_open


def test_an_interchange_that_hangs_is_killed_at_the_end(start_run: StartRun) -> None:
    run = start_run()
    run.warm_up()
    run.only(runs.INTERCHANGE).suspend()
    begin_s = time.monotonic()
    run.executor.shutdown(timeout=0.5)
    assert time.monotonic() - begin_s < 30
    assert runs.titled("parsl: HTEX") == []
