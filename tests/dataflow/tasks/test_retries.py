"""Which failures are retried, how often, and the effect of a retry_handler."""

from __future__ import annotations

from typing import Any

import pytest

from parsl.dataflow.errors import DataFlowException, DependencyError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel


def test_a_failed_task_is_retried(tmp_path: Any) -> None:
    attempts: list[int] = []

    def third_time_lucky() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError(f"attempt {len(attempts)}")
        return 7

    with kernel(tmp_path, PromptExecutor(), retries=2, garbage_collect=False) as dfk:
        future = call(dfk, third_time_lucky)
        assert future.result() == 7
        record = dfk.tasks[0]
        assert (record["fail_count"], record["try_id"]) == (2, 2)
        assert record["fail_history"] == ["ValueError('attempt 1')", "ValueError('attempt 2')"]


def test_a_failed_task_is_retried_only_as_often_as_allowed(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=2) as dfk:
        assert isinstance(call(dfk, fail).exception(), ValueError)
        assert executor.calls == 3


def test_arguments_are_futures_results_each_time(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, retries=1) as dfk:
        seen: list[int] = []

        def fails_once(number: int) -> int:
            seen.append(number)
            return 1 // (len(seen) - 1)

        future = call(dfk, fails_once, call(dfk, add, 4))
        executor.run_all()
        assert future.result() == 1
        assert seen == [4, 4]


def test_the_handler_returns_the_cost_of_a_failure(tmp_path: Any) -> None:
    seen: list[Any] = []

    def handler(error: Exception, record: Any) -> float:
        seen.append(
            (type(error), record["func_name"], record["fail_count"], record["fail_cost"], record["args"])
        )
        return 0.6

    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=1, retry_handler=handler) as dfk:
        assert isinstance(call(dfk, fail, 5).exception(), ValueError)
    assert seen == [(ValueError, "fail", 1, 0, [5]), (ValueError, "fail", 2, 0.6, [5])]


def test_the_handler_sees_results_in_the_place_of_futures(tmp_path: Any) -> None:
    seen: list[Any] = []

    def handler(error: Exception, record: Any) -> float:
        seen.append((list(record["args"]), list(record["kwargs"]["inputs"])))
        record["args"][0] += 1
        record["kwargs"]["inputs"].append(1)
        return 0.5

    def fails_twice(number: int, inputs: Any) -> Any:
        if number < 3:
            raise ValueError("too small")
        return number, inputs

    executor = HoldingExecutor()
    with kernel(tmp_path, executor, retries=1, retry_handler=handler) as dfk:
        future = call(dfk, fails_twice, call(dfk, add, 1), inputs=[call(dfk, add, 4)])
        executor.run_all()
        assert future.result() == (3, [4, 1, 1])
        assert seen == [([1], [4]), ([2], [4, 1])]


def test_the_handler_may_change_what_the_next_attempt_is(tmp_path: Any) -> None:
    def handler(error: Exception, record: Any) -> float:
        record["executor"] = "other"
        record["args"] = [4]
        record["kwargs"]["divisor"] = 2
        return 1

    def divide(number: int, divisor: int) -> float:
        return number / divisor

    first, other = PromptExecutor(), PromptExecutor("other")
    with kernel(tmp_path, first, retries=1, retry_handler=handler) as dfk:
        dfk.add_executors([other])
        assert dfk.submit(divide, (1,), ["prompt"], False, None, {"divisor": 0}).result() == 2
        assert (first.calls, other.calls) == (1, 1)


@pytest.mark.parametrize("answer", [None, "x", float("nan")])
def test_a_handler_that_returns_no_number_is_explained(tmp_path: Any, answer: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), retries=5, retry_handler=lambda *_: answer) as dfk:
        error = call(dfk, fail).exception()
        assert isinstance(error, DataFlowException)
        assert f"The retry_handler returned {answer!r}" in str(error)
        assert "ValueError('failed')" in str(error)
        assert isinstance(error.__cause__, ValueError)


class Unrecoverable(Exception):
    """Raised by retry handlers."""


def raise_at_once(error: Exception, record: Any) -> float:
    raise Unrecoverable


def raise_from_another(error: Exception, record: Any) -> float:
    try:
        raise KeyError("mine")
    except KeyError as own:
        raise Unrecoverable from own


def raise_from_the_tasks_own(error: Exception, record: Any) -> float:
    raise Unrecoverable from error


@pytest.mark.parametrize(
    ("handler", "chain"),
    [
        (raise_at_once, [Unrecoverable, ValueError]),
        (raise_from_another, [Unrecoverable, KeyError, ValueError]),
        (raise_from_the_tasks_own, [Unrecoverable, ValueError]),
    ],
)
def test_what_a_handler_raises_is_the_tasks_exception(
    tmp_path: Any, caplog: Any, handler: Any, chain: Any
) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=5, retry_handler=handler) as dfk:
        error = call(dfk, fail).exception()
    assert executor.calls == 1
    assert "The retry_handler raised Unrecoverable()" in caplog.text
    kinds = []
    while error is not None:
        kinds.append(type(error))
        error = error.__cause__ or error.__context__
    assert kinds == chain


def test_a_handler_may_raise_the_tasks_exception(tmp_path: Any) -> None:
    def handler(error: Exception, record: Any) -> float:
        raise error

    with kernel(tmp_path, PromptExecutor(), retries=5, retry_handler=handler) as dfk:
        error = call(dfk, fail).exception()
        assert isinstance(error, ValueError)
        assert error.__context__ is None


def test_a_dependent_waits_for_the_last_attempt(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, retries=1) as dfk:
        child = call(dfk, add, call(dfk, fail))
        executor.held.pop(0).run()
        assert not child.done()
        executor.run_all()
        assert isinstance(child.exception(), DependencyError)


def test_a_failed_submission_is_retried(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    executor.refusal = OSError("not now")
    with kernel(tmp_path, executor, retries=2) as dfk:
        future = call(dfk, add)
        assert isinstance(future.exception(), OSError)
        assert future.task_record.fail_count == 3
