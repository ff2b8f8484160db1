"""Waiting for tasks, and the end of a run."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from parsl.dataflow.dependency_resolvers import (
    DependencyResolver,
    shallow_traverse_to_gather,
    shallow_traverse_to_unwrap,
)
from parsl.dataflow.errors import DataFlowException
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel
from tests.support.waiting import is_waiting, wait_until


class TestWaiting:
    def test_waiting_covers_all_current_tasks_and_not_later_ones(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [call(dfk, add, number) for number in range(10)]
            futures.append(call(dfk, add, futures[0]))
            waiting = threading.Thread(target=dfk.wait_for_current_tasks)
            waiting.start()
            wait_until(lambda: is_waiting(waiting))
            later = call(dfk, add)
            held = executor.held[:10]
            del executor.held[:10]
            for each in held:
                each.run()
            assert waiting.is_alive()
            executor.held.pop().run()
            waiting.join(10)
            assert not waiting.is_alive()
            assert all(future.done() for future in futures)
            assert not later.done()

    def test_every_future_is_done_when_it_returns(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            for _ in range(300):
                future = call(dfk, add)
                runner = threading.Thread(target=executor.held.pop().run)
                runner.start()
                dfk.wait_for_current_tasks()
                assert future.done()
                runner.join()

    def test_failures_and_cancellations_raise_nothing(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            call(dfk, fail)
            executor.run_all()
            call(dfk, add).cancel()
            dfk.wait_for_current_tasks()


class TestCleanup:
    def test_unfinished_tasks_fail_with_the_reason(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [call(dfk, add), call(dfk, add, Future()), call(dfk, add, Future())[0]]
        for future in futures:
            assert isinstance(future.exception(0), DataFlowException)
        assert "was launched when the run was over" in str(futures[0].exception())
        assert "was pending when the run was over" in str(futures[1].exception())
        executor.run_all()
        assert sum(dfk.task_state_counts.values()) == dfk.task_count

    def test_a_second_cleanup_does_nothing(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            dfk.cleanup()
        dfk.cleanup()
        assert executor.events == ["start", "shutdown"]

    def test_every_executor_is_shut_down_even_if_one_fails(
        self, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad, good = HoldingExecutor("bad"), HoldingExecutor("good")

        def shutdown() -> None:
            raise OSError("stuck")

        bad.shutdown = shutdown  # type: ignore[method-assign]
        with kernel(tmp_path, bad, good):
            pass
        assert good.events == ["start", "shutdown"]
        assert "could not be shut down" in caplog.text

    def test_tasks_are_not_retried_any_more(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()

        def shutdown() -> None:
            for held in executor.held[:]:
                held.future.set_exception(OSError("gone"))

        executor.shutdown = shutdown  # type: ignore[method-assign]
        with kernel(tmp_path, executor, retries=100) as dfk:
            future = call(dfk, add)
        assert isinstance(future.exception(), OSError)
        assert len(executor.held) == 1

    def test_exit_mode_wait_waits(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, exit_mode="wait") as dfk:
            future = call(dfk, add, 1)
            timer = threading.Timer(0.05, executor.run_all)
            timer.start()
        assert future.result(0) == 1
        assert dfk.cleanup_called
        timer.join()

    def test_exit_mode_wait_does_not_wait_after_an_exception(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with pytest.raises(KeyError):  # noqa: PT012, SIM117
            with kernel(tmp_path, executor, exit_mode="wait") as dfk:
                call(dfk, add)
                raise KeyError
        assert dfk.cleanup_called

    def test_exit_mode_skip_does_nothing(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, exit_mode="skip") as dfk:
            pass
        assert not dfk.cleanup_called
        assert executor.events == ["start"]
        dfk.cleanup()

    def test_the_states_of_the_tasks_are_logged(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), retries=1, initialize_logging=True) as dfk:
            call(dfk, add)
            call(dfk, fail)
        with open(f"{dfk.run_dir}/parsl.log") as log:
            text = log.read()
        summary = text[text.index("Summary of tasks in DFK:") : text.index("End of summary")]
        for line in ("exec_done: 1", "failed: 1", "pending: 0", "joining: 0"):
            assert f"Tasks in state States.{line}\n" in summary
        assert "Task 1 (fail) has failed" in text
        assert "Task 1 (fail) will be retried" in text
        assert "Task 0" not in text

    def test_repr(self, tmp_path: Any) -> None:
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            call(dfk, add)
            assert repr(dfk) == (
                "<DataFlowKernel running, <TaskGraph 1 tasks: 1 launched>, <ExecutorSet holding>>"
            )


def test_a_task_submitted_while_the_run_ends_does_not_hang(tmp_path: Any) -> None:
    def end_first(argument: object) -> Any:
        dfk.cleanup()
        return shallow_traverse_to_gather(argument)

    resolver = DependencyResolver(end_first, shallow_traverse_to_unwrap)
    with kernel(tmp_path, PromptExecutor(), dependency_resolver=resolver) as dfk:
        assert "when the run was over" in str(call(dfk, add, Future()).exception(5))
