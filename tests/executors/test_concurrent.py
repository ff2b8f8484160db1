"""Pools of ``concurrent.futures`` as executors, beyond what the conformance suite tests."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as StandardThreads
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import Config, python_app
from parsl.app.errors import AppException
from parsl.errors import ConfigurationError
from parsl.executors import ConcurrentExecutor
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.validate import ParameterError

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


def spawning_pool(workers: int = 1) -> ProcessPoolExecutor:
    """Return a pool that does not fork this process, which has threads."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def test_threads_share_the_objects_of_the_driver() -> None:
    lock = threading.Lock()
    with StandardThreads(1) as pool, ConcurrentExecutor(pool) as executor:
        executor.start()
        assert executor.submit(id, {}, lock).result(60) == id(lock)
        assert executor.current_slots() == 1


def test_a_pool_of_loky() -> None:
    loky = pytest.importorskip("loky", reason="loky is not installed: pip install loky")
    with ConcurrentExecutor(lambda: loky.ProcessPoolExecutor(1)) as executor:
        executor.start()
        assert executor.current_slots() == 1
        assert executor.submit(os.getpid, {}).result(60) != os.getpid()
        assert isinstance(executor.submit(os._exit, {}, 1).exception(60), ManagerLost)
        assert executor.submit(abs, {}, -2).result(60) == 2


@pytest.mark.slow
def test_a_pool_of_executorlib() -> None:
    executorlib = pytest.importorskip("executorlib", reason="pip install executorlib")

    def make() -> Any:
        return executorlib.SingleNodeExecutor(max_workers=1, block_allocation=True)

    with ConcurrentExecutor(make) as executor:
        executor.start()
        assert executor.submit(os.getpid, {}).result(60) != os.getpid()
        assert isinstance(executor.submit(os._exit, {}, 1).exception(60), ManagerLost)
        assert executor.submit(abs, {}, -2).result(60) == 2


def test_a_pool_that_was_given_stays_open() -> None:
    with StandardThreads(1) as pool:
        executor = ConcurrentExecutor(pool)
        executor.start()
        executor.shutdown()
        assert pool.submit(abs, -1).result(60) == 1


def test_a_pool_that_was_made_is_shut_down() -> None:
    made: list[StandardThreads] = []

    def make() -> StandardThreads:
        made.append(StandardThreads(1))
        return made[-1]

    executor = ConcurrentExecutor(make)
    executor.start()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        made[0].submit(abs, -1)


def test_a_broken_pool_that_was_given_fails_the_executor() -> None:
    with spawning_pool() as pool:
        executor = ConcurrentExecutor(pool)
        executor.start()
        error = executor.submit(os._exit, {}, 3).exception(60)
        assert isinstance(error, ManagerLost)
        assert "a function that makes the pool" in str(error)
        with pytest.raises(BadStateException, match="broken"):
            executor.submit(abs, {}, -1)
        executor.shutdown()


def test_a_broken_pool_that_was_made_is_replaced() -> None:
    executor = ConcurrentExecutor(spawning_pool)
    executor.start()
    assert isinstance(executor.submit(os._exit, {}, 3).exception(60), ManagerLost)
    assert executor.submit(abs, {}, -1).result(60) == 1
    executor.shutdown()


def test_a_task_that_the_pool_cancels_is_cancelled(tmp_path: Path, wait_until: WaitUntil) -> None:
    gate = threading.Event()
    pool = StandardThreads(1)
    executor = ConcurrentExecutor(pool)
    executor.start()
    running, queued = executor.submit(gate.wait, {}, 60), executor.submit(abs, {}, -1)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
    with pytest.raises(CancelledError):
        queued.result(60)
    assert running.result(60) is True
    executor.shutdown()


def test_a_pool_of_another_library_is_used() -> None:
    class Immediate:
        def submit(self, function: Any, *args: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(function(*args))
            return future

        def shutdown(self, wait: bool = True) -> None:
            return None

    executor = ConcurrentExecutor(Immediate())  # type: ignore[arg-type]
    executor.start()
    assert executor.submit(abs, {}, -3).result(60) == 3
    assert executor.current_slots() is None
    executor.shutdown()


@pytest.mark.parametrize("pool", [None, 4, "pool", ProcessPoolExecutor])
def test_something_that_is_not_a_pool_is_refused(pool: Any) -> None:
    with pytest.raises(ParameterError, match="a pool with the interface"):
        ConcurrentExecutor(pool)


def test_a_function_that_makes_no_pool_is_named() -> None:
    executor = ConcurrentExecutor(lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigurationError, match="has returned None"):
        executor.start()


def test_a_function_that_raises_is_an_error_of_the_start() -> None:
    executor = ConcurrentExecutor(lambda: spawning_pool().no_such_name)  # type: ignore[attr-defined]
    with pytest.raises(EngineUnreachable, match="no_such_name"):
        executor.start()


def test_a_task_is_tried_again_in_the_pool_that_replaces_a_broken_one(tmp_path: Path) -> None:
    config = Config(executors=[ConcurrentExecutor(spawning_pool)], retries=2, run_dir=str(tmp_path))
    with parsl.load(config):
        first = tmp_path / "first"
        assert python_app(end_process_once)(str(first)).result(60) == "second"


def test_a_script_that_fails_does_not_wait_for_running_tasks(tmp_path: Path, wait_until: WaitUntil) -> None:
    executor = ConcurrentExecutor(spawning_pool)
    executor.start()
    started = tmp_path / "started"
    task = executor.submit(run_for_long, {}, str(started))
    wait_until(started.exists)
    executor.shutdown_within(0)
    assert task.done()


class CountingPool(ProcessPoolExecutor):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__(2, mp_context=get_context("spawn"))
        self.number = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.number += 1
        return super().submit(*args, **kwargs)


def make_short(executor: ConcurrentExecutor) -> None:
    """Run calls of `note` until the executor has seen that they are short, if they are on this machine."""
    for _ in range(150):
        executor.submit(note, {}, os.devnull, 0).result(60)


def test_short_tasks_go_to_the_pool_together(wait_until: WaitUntil) -> None:
    with CountingPool() as pool, ConcurrentExecutor(pool) as executor:
        executor.start()

        def has_fewer_calls_than_tasks() -> bool:
            before = pool.number
            tasks = [executor.submit(note, {}, os.devnull, number) for number in range(200)]
            assert [task.result(60) for task in tasks] == [*range(200)]
            return pool.number - before < 200

        wait_until(has_fewer_calls_than_tasks, what="a call of the pool with several tasks")


def test_each_task_is_a_call_with_one_task_per_call() -> None:
    with CountingPool() as pool, ConcurrentExecutor(pool, max_tasks_per_call=1) as executor:
        executor.start()
        make_short(executor)
        tasks = [executor.submit(note, {}, os.devnull, number) for number in range(200)]
        assert [task.result(60) for task in tasks] == [*range(200)]
        assert pool.number == 350


def test_a_long_task_of_a_short_function_keeps_few_others_waiting(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    log, gate = str(tmp_path / "log"), tmp_path / "gate"
    with spawning_pool(2) as pool, ConcurrentExecutor(pool) as executor:
        executor.start()
        make_short(executor)
        gates = [str(gate) if number == 50 else "" for number in range(100)]
        tasks = [executor.submit(note, {}, log, number, path) for number, path in enumerate(gates)]
        wait_until(lambda: sum(task.done() for task in tasks) >= 92)
        assert not tasks[50].done()
        gate.touch()
        assert [task.result(60) for task in tasks] == [*range(100)]
    assert sorted(map(int, Path(log).read_text().split())) == [*range(100)]


def test_a_short_task_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    log, gate = str(tmp_path / "log"), tmp_path / "gate"
    with spawning_pool() as pool, ConcurrentExecutor(pool) as executor:
        executor.start()
        make_short(executor)
        tasks = [executor.submit(note, {}, log, 0, str(gate))]
        tasks += [executor.submit(note, {}, log, number) for number in range(1, 50)]
        assert tasks[49].cancel()
        assert tasks[49].cancelled()
        gate.touch()
        assert [task.result(60) for task in tasks[:49]] == [*range(49)]
    assert "49" not in Path(log).read_text().split()


def test_no_short_task_is_lost_with_a_pool(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    executor = ConcurrentExecutor(spawning_pool)
    with parsl.load(Config(executors=[executor], retries=1, run_dir=str(tmp_path), strategy="none")):
        make_short(executor)
        once = str(tmp_path / "once")
        tasks = [python_app(note)(log, number, "", once if number == 50 else "") for number in range(100)]
        assert [task.result(60) for task in tasks] == [*range(100)]
    assert {*map(int, Path(log).read_text().split())} == {*range(100)}


def test_short_tasks_that_wait_end_with_the_executor(tmp_path: Path) -> None:
    log, gate = str(tmp_path / "log"), tmp_path / "gate"
    Path(log).touch()
    with spawning_pool() as pool:
        executor = ConcurrentExecutor(pool)
        executor.start()
        make_short(executor)
        first = executor.submit(note, {}, log, 0, str(gate))
        tasks = [executor.submit(note, {}, log, number) for number in range(1, 50)]
        executor.shutdown()
        gate.touch()
        assert all(task.done() for task in [first, *tasks])
        assert tasks[48].cancelled()
    assert "49" not in Path(log).read_text().split()


def test_tasks_end_when_the_results_of_others_cannot_be_read(wait_until: WaitUntil) -> None:
    with spawning_pool() as pool, ConcurrentExecutor(pool) as executor:
        executor.start()
        for _ in range(150):
            executor.submit(unreadable_if, {}, False, os.getpid()).result(60)
        tasks = [executor.submit(unreadable_if, {}, number == 50, os.getpid()) for number in range(100)]
        error = tasks[50].exception(60)
        assert isinstance(error, AppException)
        assert isinstance(error.__cause__, SystemExit)
        assert [task.result(60) for task in tasks if task is not tasks[50]] == [None] * 99


def test_tasks_that_wait_for_a_given_pool_end_with_its_words(tmp_path: Path, wait_until: WaitUntil) -> None:
    with spawning_pool() as pool:
        executor = ConcurrentExecutor(pool)
        tasks = lose_worker_under_tasks(executor, tmp_path, wait_until)
        assert all("terminated abruptly" in str(task.exception(60)) for task in tasks)
        executor.shutdown()


def test_tasks_end_when_no_pool_can_be_made_any_more(tmp_path: Path, wait_until: WaitUntil) -> None:
    pools = [spawning_pool()]
    executor = ConcurrentExecutor(lambda: pools.pop() if pools else sys.exit("no license"))
    tasks = lose_worker_under_tasks(executor, tmp_path, wait_until)
    assert all(isinstance(task.exception(60), ManagerLost | EngineUnreachable) for task in tasks)
    executor.shutdown()


def lose_worker_under_tasks(
    executor: ConcurrentExecutor, directory: Path, wait_until: WaitUntil
) -> list[Future[Any]]:
    """Start an executor with one worker, and end that while short tasks wait; returns these."""
    started, gate = directory / "started", directory / "gate"
    executor.start()
    make_short(executor)
    first = executor.submit(end_process_at, {}, str(started), str(gate))
    tasks: list[Future[Any]] = [executor.submit(note, {}, os.devnull, number) for number in range(50)]
    wait_until(started.exists)
    gate.touch()
    assert isinstance(first.exception(60), ManagerLost)
    return tasks


def note(path: str, number: int, gate: str = "", once: str = "") -> int:
    """Append the number to a file, and return it; wait for a gate, or end the process once."""
    with open(path, "a") as file:
        file.write(f"{number}\n")
    end_s = time.monotonic() + 60
    while gate and not os.path.exists(gate) and time.monotonic() < end_s:
        time.sleep(0.01)
    if once:
        end_process_once(once)
    return number


class Unreadable:
    """Cannot be unpickled in one process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __setstate__(self, state: dict[str, int]) -> None:
        if os.getpid() == state["pid"]:
            raise SystemExit(3)


def unreadable_if(condition: bool, pid: int) -> Unreadable | None:
    return Unreadable(pid) if condition else None


def end_process_at(path: str, gate: str) -> None:
    Path(path).touch()
    note(os.devnull, 0, gate)
    os._exit(3)


def end_process_once(path: str) -> str:
    if not os.path.exists(path):
        Path(path).touch()
        os._exit(3)
    return "second"


def run_for_long(path: str) -> None:
    Path(path).touch()
    time.sleep(600)
