from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest

from parsl import bash_app, python_app
from parsl.dataflow.work_loop import ConcurrencyLimit
from parsl.executors import ThreadPoolExecutor
from parsl.validate import ParameterError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, fail, kernel


def limited(dfk: Any, function: Any, most: int = 2) -> Any:
    return python_app(function, data_flow_kernel=dfk, max_concurrency=most)


def test_no_more_than_the_limit_are_submitted_to_the_executor(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        app, free = limited(dfk, add), python_app(add, data_flow_kernel=dfk)
        futures = [app(i, 1) for i in range(6)]
        others = [free(1) for _ in range(3)]
        assert len(executor.held) == 2 + 3
        assert [future.task_status() for future in futures] == ["launched"] * 2 + ["pending"] * 4
        executor.held.pop(0).run()
        assert [future.task_status() for future in futures[:4]] == [
            "exec_done",
            "launched",
            "launched",
            "pending",
        ]
        assert repr(app.limit) == "<ConcurrencyLimit 2 of 2 admitted, 3 waiting>"
        executor.run_all()
        assert [future.result() for future in futures + others] == [1, 2, 3, 4, 5, 6, 1, 1, 1]
        assert repr(app.limit) == "<ConcurrencyLimit 0 of 2 admitted, 0 waiting>"


def test_failures_retries_and_refusals_release_their_slots(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, retries=1) as dfk:
        app = limited(dfk, fail, 1)
        futures = [app() for _ in range(3)]
        assert executor.run_all() == 6
        assert all(isinstance(future.exception(), ValueError) for future in futures)
        executor.refusal = RuntimeError("no")
        assert isinstance(app().exception(), RuntimeError)
        executor.refusal = None
        last = app()
        executor.run_all()
        assert isinstance(last.exception(), ValueError)


def test_a_waiting_task_can_be_cancelled(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        app = limited(dfk, add, 1)
        first, second, third = app(1), app(2), app(3)
        assert second.cancel()
        assert executor.run_all() == 2
        with pytest.raises(CancelledError):
            second.result()
        assert (first.result(), third.result()) == (1, 3)
        fourth, fifth = app(4), app(5)
        assert fourth.cancel()
        executor.run_all()
        assert fifth.result() == 5


def test_with_dependencies_special_arguments_and_long_queues(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        app = limited(dfk, add, 1)
        assert app(app(1), app(2), label="sum", walltime=30).result() == 3
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        app = limited(dfk, add, 1)
        futures = [app(i) for i in range(20_000)]
        executor.run_all()
        assert futures[-1].result() == 19_999


def test_tasks_left_at_the_end_fail_and_the_app_remains_usable(tmp_path: Any) -> None:
    app = python_app(add, max_concurrency=1)
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        app.data_flow_kernel = dfk
        left = [app(i) for i in range(3)]
    assert all(future.exception() is not None for future in left)
    executor.run_all()  # as a real executor's shutdown does
    with kernel(tmp_path, PromptExecutor()) as dfk:
        app.data_flow_kernel = dfk
        assert app(7).result() == 7


def test_the_limit_holds_with_threads(tmp_path: Any) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.001)
        with lock:
            now[0] -= 1

    with kernel(tmp_path, ThreadPoolExecutor(max_threads=8)) as dfk:
        app = limited(dfk, work, 3)
        for future in [app() for _ in range(100)]:
            future.result()
    assert most[0] == 3


def test_the_limit_applies_to_bash_apps_and_with_parentheses(tmp_path: Any) -> None:
    with kernel(tmp_path, ThreadPoolExecutor(max_threads=2)) as dfk:

        @bash_app(data_flow_kernel=dfk, max_concurrency=1)
        def true() -> str:
            return "true"

        assert [future.result() for future in [true() for _ in range(3)]] == [0, 0, 0]
        assert isinstance(true.limit, ConcurrencyLimit)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "many", True])
def test_a_wrong_limit_is_refused(wrong: Any) -> None:
    with pytest.raises(ParameterError, match="PythonApp: max_concurrency is"):
        python_app(add, max_concurrency=wrong)
