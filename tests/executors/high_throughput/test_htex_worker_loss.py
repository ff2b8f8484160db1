"""A task that ends its worker fails with the cause; the worker is replaced at once."""

from __future__ import annotations

import os
import platform
import random
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from parsl.common.processes import is_alive
from parsl.dataflow.errors import DataFlowException
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.failure_facts import facts_of
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


@pytest.mark.parametrize(
    ("function", "args", "words", "code", "number"),
    [
        (tasks.die_by, (signal.SIGKILL,), "SIGKILL", None, 9),
        (tasks.crash, (), "SIGSEGV", None, 11),
        (tasks.leave_at_once, (2,), "exit code 2", 2, None),
        (tasks.leave, (3,), "exit code 3", 3, None),
        (tasks.leave, (None,), "exit code 0", 0, None),
        (tasks.leave, ("a last word",), "exit code 1", 1, None),
    ],
    ids=["SIGKILL", "SIGSEGV", "os._exit", "sys.exit", "sys.exit()", "sys.exit(text)"],
)
def test_a_failure_names_the_cause_of_a_workers_death_and_the_host(
    start_run: StartRun, function: Any, args: Any, words: str, code: int | None, number: int | None
) -> None:
    run = start_run(max_workers_per_node=1)
    with pytest.raises(WorkerLost, match=words) as caught:
        run.call(function, *args).result(timeout=30)
    assert platform.node() in str(caught.value)
    assert caught.value.hostname == platform.node()
    assert caught.value.worker_id == 0
    assert caught.value.details["exit_code"] == code
    assert caught.value.details["signal"] == number
    assert caught.value.details["peak_memory"] > 1_000_000
    assert run.call(tasks.add, 1, 2).result(timeout=30) == 3


def test_a_killed_worker_is_replaced_with_the_same_rank(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    held = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/never")
    wait_until((tmp_path / "started").exists)
    pid = int((tmp_path / "started").read_text())
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="SIGKILL"):
        held.result(timeout=30)
    found = run.call(tasks.environment, "PARSL_WORKER_RANK", "PARSL_WORKER_COUNT").result(timeout=30)
    assert found == {"PARSL_WORKER_RANK": "0", "PARSL_WORKER_COUNT": "1"}
    assert not is_alive(pid)


def test_an_idle_worker_that_is_killed_hurts_no_task(start_run: StartRun, wait_until: WaitUntil) -> None:
    run = start_run()
    run.warm_up()
    workers = run.workers()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, timeout=60)
    assert [run.call(tasks.add, i).result(timeout=30) for i in range(10)] == list(range(10))
    wait_until(lambda: len(run.workers()) == 2)


@pytest.mark.linux
def test_processes_of_a_lost_worker_end_with_it(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=1)
    future = run.call(tasks.stubborn_family, f"{tmp_path}/pids", tasks.FOREVER_S)
    wait_until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(WorkerLost):
        future.result(timeout=30)
    assert [pid for pid in pids if is_alive(pid)] == []
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_a_lost_task_is_retried(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run(retries=1)

    def die_once(flag: str) -> str:
        import os

        if os.path.exists(flag):
            return "the second time"
        os.close(os.open(flag, os.O_CREAT))
        os._exit(1)

    assert run.call(die_once, f"{tmp_path}/flag").result(timeout=30) == "the second time"


def test_the_death_of_one_task_does_not_affect_later_ones(start_run: StartRun, marks: Path) -> None:
    run = start_run()
    run.warm_up()
    calls = [(tasks.leave_at_once, 1) if i % 100 == 50 else (tasks.mark, str(marks), i) for i in range(600)]
    futures = [run.send(*call) for call in calls]
    lost = [i for i, future in enumerate(futures) if future.exception(timeout=60) is not None]
    assert lost == [50, 150, 250, 350, 450, 550]
    counts = tasks.runs(marks)
    assert set(counts.values()) == {1}
    assert len(counts) == 594


def test_each_task_runs_once_although_workers_are_killed_at_random(
    start_run: StartRun, marks: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=4)
    run.warm_up()
    chance = random.Random(1)
    futures = [run.send(tasks.mark, str(marks), i) for i in range(4000)]
    # No more than three: new workers that are killed before they have a task to run count as failed at
    # startup, and too many of them look like a node that cannot start workers.
    for share in range(1, 4):
        wait_until(lambda share=share: sum(future.done() for future in futures) >= share * 1000)  # type: ignore[misc]
        try:
            chance.choice(run.workers()).kill()
        except (IndexError, psutil.NoSuchProcess):
            continue
    failed = {i for i, future in enumerate(futures) if future.exception(timeout=60) is not None}
    assert all(isinstance(futures[i].exception(), WorkerLost) for i in failed)
    assert len(failed) <= 3
    counts = tasks.runs(marks)
    assert set(counts.values()) == {1}
    assert {str(i) for i in range(4000)} - set(counts) <= {str(i) for i in failed}


def mark_and_die(directory: str) -> None:
    tasks.mark(directory, "poison")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_task_that_kills_every_worker_is_not_retried_forever(start_run: StartRun, marks: Path) -> None:
    run = start_run(retries=1000)
    with pytest.raises(DataFlowException, match="3 workers have ended under it") as failed:
        run.call(mark_and_die, str(marks)).result(timeout=60)
    assert isinstance(failed.value.__cause__, WorkerLost)
    assert tasks.runs(marks) == {"poison": 3}
    assert run.call(tasks.add, 1, 2).result(timeout=60) == 3


def test_a_crash_report_names_the_line_of_python(start_run: StartRun) -> None:
    run = start_run(max_workers_per_node=1)
    error = run.call(tasks.crash).exception(timeout=60)
    assert "in crash" in str(error)
    facts = facts_of(error)
    assert (facts.host, facts.worker, facts.signal) == (platform.node(), 0, signal.SIGSEGV)
    assert "in crash" in (facts.stderr_tail or "")


@pytest.mark.linux
def test_stderr_of_the_node_is_shown(start_run: StartRun) -> None:
    run = start_run(max_workers_per_node=1)
    error = run.call(tasks.leave, "a last word").exception(timeout=60)
    assert "a last word" in str(error)


def test_a_tasks_exception_names_where_it_was_raised(start_run: StartRun) -> None:
    run = start_run(max_workers_per_node=1)
    facts = facts_of(run.call(divide, 1, 0).exception(timeout=60))
    assert (facts.app, facts.attempt, facts.executor) == ("divide", 1, "htex")
    assert (facts.host, facts.block, facts.worker) == (platform.node(), "0", 0)
    assert facts.ran_s is not None
    assert (facts.peak_memory or 0) > 1_000_000


def divide(a: int, b: int) -> float:
    return a / b
