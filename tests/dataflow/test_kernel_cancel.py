"""Cancelling tasks that wait, are submitted, run, or have just ended."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from parsl.dataflow.errors import DependencyError
from parsl.dataflow.memoization import Memoizer
from parsl.dataflow.states import States
from tests.dataflow.fakes import HoldingExecutor, add, call, kernel

LIMIT_S = 30


def test_a_waiting_task(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        parent = call(dfk, add)
        child = call(dfk, add, parent)
        grandchild = call(dfk, add, child)
        assert child.cancel()
        assert child.cancel()
        assert child.cancelled()
        assert child.task_status() == "failed"
        with pytest.raises(CancelledError):
            child.result()
        assert isinstance(grandchild.exception(), DependencyError)
        assert "task 1 was cancelled" in str(grandchild.exception())
        assert executor.run_all() == 1
        assert parent.result() == 0
        dfk.validate_state()


def test_a_launched_task_that_the_executor_can_cancel(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, retries=3) as dfk:
        future = call(dfk, add)
        assert future.cancel()
        assert future.cancelled()
        assert executor.held[0].future.cancelled()
        assert len(executor.held) == 1
        assert dfk.task_state_counts[States.failed] == 1


def test_a_launched_task_that_the_executor_cannot_cancel(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, add)
        executor.held[0].future.set_running_or_notify_cancel()
        assert not future.cancel()
        executor.held[0].future.set_result(1)
        assert future.result() == 1
        assert not future.cancel()
        assert not future.cancelled()


def test_an_executor_that_cancels_by_itself(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, add)
        executor.held[0].future.cancel()
        assert future.cancelled()


def test_while_it_is_being_submitted(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        root: Future[int] = Future()
        future = call(dfk, add, root)
        submit = executor.submit

        def slow_submit(*args: Any, **kwargs: Any) -> Any:
            assert future.cancel()
            return submit(*args, **kwargs)

        executor.submit = slow_submit  # type: ignore[method-assign]
        root.set_result(1)
        assert future.cancelled()
        assert executor.held[0].future.cancelled()


def test_while_another_thread_notes_that_it_is_cancelled(tmp_path: Any) -> None:
    """As with an engine that reports the cancellation before its answer to the request arrives."""
    noting, goes_on = threading.Event(), threading.Event()

    class SlowMemoizer(Memoizer):
        def update_memo_exception(self, task: Any, e: BaseException) -> None:
            noting.set()
            assert goes_on.wait(LIMIT_S)

    class ReportedFirst(Future[Any]):
        def cancel(self) -> bool:
            reporter.start()
            assert noting.wait(LIMIT_S)
            return self.cancelled()

    attempt = ReportedFirst()
    reporter = threading.Thread(target=super(ReportedFirst, attempt).cancel)
    executor = HoldingExecutor()
    executor.submit = lambda *args, **kwargs: attempt  # type: ignore[method-assign]
    with kernel(tmp_path, executor, memoizer=SlowMemoizer()) as dfk:
        future = call(dfk, add)
        assert future.cancel()
        assert future.cancel()  # the task has ended, and its future is not done
        goes_on.set()
        with pytest.raises(CancelledError):
            future.result(LIMIT_S)
        reporter.join()


def test_against_completion(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        for _ in range(300):
            future = call(dfk, add, 1)
            child = call(dfk, add, future)
            runner = threading.Thread(target=executor.held.pop().run)
            runner.start()
            cancelled = future.cancel()
            runner.join()
            assert cancelled == future.cancelled()
            if cancelled:
                assert isinstance(child.exception(5), DependencyError)
            else:
                executor.run_all()
                assert child.result(5) == 1
        assert sum(dfk.task_state_counts.values()) == dfk.task_count == 600
