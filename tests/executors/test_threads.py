"""The ThreadPoolExecutor by itself; with a kernel it is tested in tests/app."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from concurrent.futures import CancelledError, wait
from typing import TYPE_CHECKING, Any

import pytest

from parsl.app.bash_task import BashTask
from parsl.app.errors import AppException, AppTimeout
from parsl.common.processes import is_alive
from parsl.data_provider.file_noop import NoOpFileStaging
from parsl.executors.errors import ExecutorError, InvalidResourceSpecification
from parsl.executors.threads import ThreadPoolExecutor
from parsl.validate import ParameterError
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import WaitUntil


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    before = set(threading.enumerate())
    executor = ThreadPoolExecutor(label="few", max_threads=2)
    executor.start()
    yield executor
    executor.shutdown(timeout_s=20)
    left = set(threading.enumerate()) - before
    assert {thread for thread in left if not thread.daemon} == set()


def bash(line: str) -> BashTask:
    def command() -> str:
        return line

    return BashTask(command)


class Gate:
    """A function that waits until the gate is open, and signals when it has been entered."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self) -> str:
        self.entered.release()
        assert self._open.wait(30)
        return "through"

    def open(self) -> None:
        self._open.set()


def test_functions_are_called(executor: ThreadPoolExecutor) -> None:
    assert executor.submit(max, {}, 1, 5).result() == 5
    assert executor.submit(dict, {}, a=1).result() == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, {}, 1, 0).result()


def test_the_traceback_begins_in_the_function(executor: ThreadPoolExecutor) -> None:
    def failing() -> None:
        raise ValueError

    error = executor.submit(failing, {}).exception()
    assert error is not None
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code.co_name == "failing"


def test_every_task_gets_a_thread_up_to_the_limit() -> None:
    executor = ThreadPoolExecutor(max_threads=64)
    executor.start()
    for _ in range(20):
        barrier = threading.Barrier(16)
        assert wait([executor.submit(barrier.wait, {}, 20) for _ in range(16)], timeout=30).not_done == set()
    executor.shutdown()


def test_threads_have_the_prefix(executor: ThreadPoolExecutor) -> None:
    name = executor.submit(lambda: threading.current_thread().name, {}).result()
    assert name == "ThreadPoolExecutor-few_0"
    assert ThreadPoolExecutor(thread_name_prefix="mine").thread_name_prefix == "mine"


def test_finished_tasks_are_not_kept_in_memory(executor: ThreadPoolExecutor, wait_until: WaitUntil) -> None:
    class Thing:
        pass

    def fail(thing: Thing) -> None:
        raise ValueError

    thing = Thing()
    reference = weakref.ref(thing)
    future = executor.submit(id, {}, thing)
    future.result()
    failed = executor.submit(fail, {}, thing)
    assert failed.exception() is not None
    failed.exception().__traceback__ = None  # type: ignore[union-attr]
    del thing
    wait_until(lambda: reference() is None)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_errors_that_end_a_process_fail_only_the_task(
    executor: ThreadPoolExecutor, error: BaseException
) -> None:
    def failing() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(AppException, match=type(error).__name__) as caught:
            executor.submit(failing, {}).result(timeout=60)
        assert caught.value.__cause__ is error
    assert executor.submit(int, {}).result(timeout=60) == 0


def test_a_callback_that_exits_does_not_end_the_thread(executor: ThreadPoolExecutor) -> None:
    gate = Gate()
    future = executor.submit(gate, {})
    future.add_done_callback(lambda _: sys.exit(1))
    gate.open()
    assert future.result(timeout=60) == "through"
    barrier = threading.Barrier(2)
    assert wait([executor.submit(barrier.wait, {}, 20) for _ in range(2)], timeout=30).not_done == set()


def test_unknown_keys_of_a_specification_are_refused(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(InvalidResourceSpecification, match="'cores'"):
        executor.submit(int, {"cores": 1})
    assert executor.submit(int, {"priority": 1, "walltime_s": None}).result() == 0
    assert executor.submit(int, None).result() == 0


def test_an_executor_must_be_started() -> None:
    with pytest.raises(ExecutorError, match=r"not started.*parsl\.load"):
        ThreadPoolExecutor().submit(int, {})
    ThreadPoolExecutor().shutdown()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"label": 5}, "label"),
        ({"label": ""}, "label"),
        ({"max_threads": 0}, "max_threads"),
        ({"max_threads": "x"}, "max_threads"),
        ({"max_threads": 2.5}, "max_threads"),
        ({"max_threads": True}, "max_threads"),
        ({"thread_name_prefix": 5}, "thread_name_prefix"),
        ({"storage_access": 5}, "storage_access"),
        ({"storage_access": [NoOpFileStaging(), 5]}, r"storage_access\[1\]"),
        ({"storage_access": [NoOpFileStaging]}, r"storage_access\[0\]"),
        ({"remote_monitoring_radio": "udp"}, "remote_monitoring_radio"),
        ({"working_dir": 5}, "working_dir"),
    ],
)
def test_wrong_parameters_are_named(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ParameterError, match=f"ThreadPoolExecutor: {name} is"):
        ThreadPoolExecutor(**options)


def test_the_repr_is_the_constructor_call() -> None:
    assert repr(ThreadPoolExecutor(max_threads=None)) == (
        "ThreadPoolExecutor(\n    label='threads',\n    max_threads=None,\n"
        "    thread_name_prefix='ThreadPoolExecutor-threads',\n    storage_access=None,\n"
        "    working_dir=None,\n    remote_monitoring_radio=None\n)"
    )
    assert not ThreadPoolExecutor().monitor_resources()


def test_a_queued_task_is_cancelled_at_once(executor: ThreadPoolExecutor) -> None:
    gate = Gate()
    running = [executor.submit(gate, {}) for _ in range(2)]
    ran: list[int] = []
    queued = [executor.submit(ran.append, {}, i) for i in range(3)]
    assert queued[1].cancel()
    assert queued[1].cancelled()
    gate.open()
    wait([*running, queued[0], queued[2]], timeout=60)
    assert ran == [0, 2]


def test_running_python_code_is_not_cancelled(executor: ThreadPoolExecutor) -> None:
    gate = Gate()
    future = executor.submit(gate, {})
    assert gate.entered.acquire(timeout=60)
    assert not future.cancel()
    gate.open()
    assert future.result(timeout=60) == "through"
    assert not future.cancel()


def test_a_running_command_is_cancelled_and_its_thread_replaced(
    executor: ThreadPoolExecutor, tmp_path: Path, wait_until: WaitUntil
) -> None:
    for number in range(4):
        pids = tmp_path / f"pids{number}"
        line = f"sleep 1000 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"
        future = executor.submit(bash(line), {})
        wait_until(pids.exists)
        assert future.cancel()
        # The command may run before its thread has noted its process id; the thread then ends it.
        wait_until(lambda pids=pids: not any(is_alive(int(pid)) for pid in pids.read_text().split()))
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result()
    barrier = threading.Barrier(2)
    assert wait([executor.submit(barrier.wait, {}, 20) for _ in range(2)], timeout=30).not_done == set()


def test_cancelling_at_any_moment_leaves_nothing_behind(executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for step in range(40):
        future = executor.submit(bash(f"sleep 1000; touch {mark}"), {})
        deadline_s = time.perf_counter() + step * 0.0001
        while time.perf_counter() < deadline_s:
            pass
        assert future.cancel()
        assert future.cancelled()
    assert executor.submit(int, {}).result(timeout=60) == 0
    barrier = threading.Barrier(2)
    assert wait([executor.submit(barrier.wait, {}, 20) for _ in range(2)], timeout=30).not_done == set()


def test_an_interruption_affects_only_its_own_task(executor: ThreadPoolExecutor) -> None:
    def takes(duration_s: float) -> str:
        end_s = time.perf_counter() + duration_s
        while time.perf_counter() < end_s:
            pass
        return "done"

    outcomes = []
    for step in range(60):
        limited = executor.submit(takes, {"walltime_s": 0.01}, 0.0094 + step * 0.00002)
        free = executor.submit(takes, {}, 0.001)
        outcomes.append(type(limited.exception(timeout=60)))
        assert free.result(timeout=60) == "done"
    assert set(outcomes) <= {AppTimeout, type(None)}


def test_a_stuck_thread_is_replaced(executor: ThreadPoolExecutor) -> None:
    gate = Gate()
    stuck = [executor.submit(gate, {"walltime_s": 0.05}) for _ in range(2)]
    for future in stuck:
        assert isinstance(future.exception(timeout=60), AppTimeout)
    assert executor.submit(int, {}).result(timeout=60) == 0
    gate.open()


def test_shutdown_runs_queued_tasks(executor: ThreadPoolExecutor) -> None:
    futures = [executor.submit(time.sleep, {}, 0.005) for _ in range(20)]
    executor.shutdown()
    assert all(future.done() and not future.cancelled() for future in futures)


def test_shutdown_without_waiting_runs_queued_tasks(executor: ThreadPoolExecutor) -> None:
    gate = Gate()
    futures = [executor.submit(gate, {}) for _ in range(5)]
    executor.shutdown(block=False)
    assert not any(future.done() for future in futures)
    gate.open()
    assert wait(futures, timeout=60).not_done == set()


def test_shutdown_leaves_no_threads(wait_until: WaitUntil) -> None:
    before = threading.active_count()
    for _ in range(5):
        executor = ThreadPoolExecutor(max_threads=4)
        executor.start()
        wait([executor.submit(int, {"walltime_s": 100}) for _ in range(20)], timeout=60)
        executor.shutdown()
        assert threading.active_count() == before


def test_no_task_is_accepted_after_shutdown(executor: ThreadPoolExecutor) -> None:
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after its shutdown"):
        executor.submit(int, {})
    executor.shutdown()


def test_no_future_is_lost_in_a_shutdown_during_submissions() -> None:
    for _ in range(5):
        executor = ThreadPoolExecutor(max_threads=2)
        executor.start()
        futures: list[Any] = []

        def submit(into: list[Any] = futures, executor: ThreadPoolExecutor = executor) -> None:
            try:
                while True:
                    into.append(executor.submit(int, {}))
            except RuntimeError:
                pass

        threads = [threading.Thread(target=submit) for _ in range(2)]
        for thread in threads:
            thread.start()
        executor.shutdown()
        for thread in threads:
            thread.join()
        assert wait(futures, timeout=60).not_done == set()


def test_an_executor_can_be_started_again(executor: ThreadPoolExecutor) -> None:
    executor.shutdown()
    executor.start()
    assert executor.submit(int, {}).result(timeout=60) == 0


def test_a_shutdown_with_a_limit_ends_everything(tmp_path: Path, wait_until: WaitUntil) -> None:
    executor = ThreadPoolExecutor(max_threads=3)
    executor.start()
    gate = Gate()

    def spin() -> None:
        while True:
            pass

    started = tmp_path / "started"
    command = executor.submit(bash(f"echo $$ > {started}.new; mv {started}.new {started}; sleep 1000"), {})
    others = [executor.submit(gate, {}), executor.submit(spin, {}), executor.submit(int, {})]
    wait_until(started.exists)
    executor.shutdown(timeout_s=0.1)
    assert all(future.cancelled() for future in [command, *others])
    assert not is_alive(int(started.read_text()))
    gate.open()


def test_the_observer_is_notified_of_long_tasks(wait_until: WaitUntil) -> None:
    executor = ThreadPoolExecutor(label="few", max_threads=2)
    recorder = executor.observer = Recorder()
    executor.start()
    may_end = threading.Event()
    long = executor.submit(may_end.wait, None, 60)
    assert executor.submit(int, None).result(60) == 0
    wait_until(lambda: bool(recorder.started))
    may_end.set()
    executor.shutdown(timeout_s=20)
    assert [future for future, *_ in recorder.started] == [long]
    assert recorder.labels == {"few"}
