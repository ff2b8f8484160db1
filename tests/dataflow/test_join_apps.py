from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from parsl.dataflow.errors import DataFlowException, JoinError
from parsl.dataflow.states import States
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, call_join, fail, kernel


def test_a_join_apps_result_is_that_of_its_future(tmp_path: Any, wait_until: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call_join(dfk, lambda number: call(dfk, add, number, 1), 4)
        wait_until(lambda: future.task_status() == "joining")
        assert not future.done()
        assert executor.run_all() == 1
        assert future.result(10) == 5
        assert future.task_status() == "exec_done"


def test_a_list_of_futures_results_in_a_list_of_results(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        foreign: Future[str] = Future()
        foreign.set_result("foreign")
        future = call_join(dfk, lambda: [call(dfk, add, 1), foreign, call(dfk, add, 2)])
        assert future.result(10) == [1, "foreign", 2]


def test_an_empty_list_results_in_an_empty_list(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        list_: Any = []
        assert call_join(dfk, lambda: list_).result(10) == []


def test_the_same_future_twice(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        inner = call(dfk, add, 1)
        assert call_join(dfk, lambda: [inner, inner]).result(10) == [1, 1]


def test_join_apps_in_join_apps(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), internal_tasks_max_threads=1) as dfk:

        def fibonacci(n: int) -> Any:
            if n < 2:
                return call(dfk, add, n)
            return call(dfk, add, call_join(dfk, fibonacci, n - 1), call_join(dfk, fibonacci, n - 2))

        assert call_join(dfk, fibonacci, 8).result(30) == 21


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_join_app_that_waits_for_itself_fails(tmp_path: Any, depth: int) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        go: Future[int] = Future()

        def returns_itself(_: int) -> Any:
            inner = own[0]
            for _ in range(depth):
                inner = call(dfk, add, inner)
            return [call(dfk, add, 1), inner]

        own = [call_join(dfk, returns_itself, go)]
        go.set_result(1)
        with pytest.raises(DataFlowException, match="wait for itself"):
            own[0].result(60)


def test_two_join_apps_that_wait_for_each_other_fail(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        go: Future[int] = Future()
        both: list[Any] = []
        both += [call_join(dfk, lambda _, other=other: both[other], go) for other in (1, 0)]
        go.set_result(1)
        errors = [future.exception(60) for future in both]
        assert any("wait for itself" in str(error) for error in errors)
        assert all(isinstance(error, DataFlowException) for error in errors)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (5, "got 5 of type <class 'int'>"),
        (None, "got None of type"),
        ((), r"got \(\) of type <class 'tuple'>"),
        ([Future(), 3], "got a list whose item 1 is 3 of type <class 'int'>"),
    ],
)
def test_anything_else_is_a_type_error(tmp_path: Any, returned: Any, message: str) -> None:
    with kernel(tmp_path, PromptExecutor(), retries=3) as dfk:
        future = call_join(dfk, lambda: returned)
        with pytest.raises(
            TypeError, match=f"must return a Future or list of Futures, {message}.* from <lambda>"
        ):
            future.result(10)
        assert future.task_record.fail_count == 0


def test_an_inner_failure_names_the_root_cause_and_is_not_retried(tmp_path: Any) -> None:
    calls: list[int] = []
    with kernel(tmp_path, PromptExecutor(), retries=1) as dfk:

        def body() -> Any:
            calls.append(1)
            return [call(dfk, fail), call(dfk, add, 1), call(dfk, fail)]

        future = call_join(dfk, body)
        error = future.exception(10)
        assert isinstance(error, JoinError)
        assert [description for _, description in error.dependent_exceptions_tids] == ["task 1", "task 3"]
        assert "ValueError: failed" in str(error)
        assert future.task_status() == "failed"
    assert calls == [1]


def test_a_body_that_raises_is_retried(tmp_path: Any) -> None:
    calls: list[int] = []
    with kernel(tmp_path, PromptExecutor(), retries=1) as dfk:

        def body() -> Any:
            calls.append(1)
            raise KeyError("body")

        assert isinstance(call_join(dfk, body).exception(10), KeyError)
    assert calls == [1, 1]


def test_a_cancelled_inner_future_fails_the_join_app(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        foreign: Future[int] = Future()
        foreign.cancel()
        assert "was cancelled" in str(call_join(dfk, lambda: foreign).exception(10))


def test_cancelling_a_joining_app_does_not_affect_the_inner_tasks(tmp_path: Any, wait_until: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        inner: list[Any] = []

        def body() -> Any:
            inner.append(call(dfk, add, 1))
            return inner[0]

        future = call_join(dfk, body)
        wait_until(lambda: future.task_status() == "joining")
        assert future.cancel()
        assert future.cancelled()
        executor.run_all()
        assert inner[0].result() == 1
        assert future.cancelled()
        assert dfk.task_state_counts[States.failed] == 1


def test_the_end_of_the_run_fails_a_joining_app(tmp_path: Any, wait_until: Any) -> None:
    with kernel(tmp_path, HoldingExecutor()) as dfk:
        future = call_join(dfk, lambda: Future())
        wait_until(lambda: future.task_status() == "joining")
    assert "was joining when the run was over" in str(future.exception(0))
