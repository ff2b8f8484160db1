from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.errors import DataFlowException, DependencyError
from parsl.dataflow.states import States
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from parsl.executors.errors import InvalidResourceSpecification
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel


class TestSubmission:
    def test_a_task_goes_to_the_executor_and_its_result_comes_home(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            future = call(dfk, add, 1, 2)
            assert (future.tid, future.task_status(), future.done()) == (0, "launched", False)
            executor.run_all()
            assert (future.result(), future.task_status()) == (3, "exec_done")
            assert dfk.task_count == 1

    def test_the_executor_is_one_of_those_allowed(self, tmp_path: Any) -> None:
        executors = [HoldingExecutor(label) for label in "abc"]
        with kernel(tmp_path, *executors) as dfk:
            for _ in range(200):
                dfk.submit(add, (), "all", False, None, {})
            assert all(len(executor.held) > 20 for executor in executors)
            for _ in range(50):
                dfk.submit(add, (), ["a"], False, None, {})
                dfk.submit(add, (), ["b", "c"], False, None, {})
        assert sum(len(executor.held) for executor in executors) == 300

    def test_join_apps_do_not_make_the_internal_executor_a_choice(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            dfk.submit(list, (), "all", False, None, {}, join=True).result()
            assert "_parsl_internal" in dfk.executors
            for _ in range(20):
                call(dfk, add).result()
            assert executor.calls == 20

    @pytest.mark.parametrize("executors", [["nowhere"], "nowhere", ["prompt", "nowhere"]])
    def test_an_unknown_label_is_an_error_at_the_call(self, tmp_path: Any, executors: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            with pytest.raises(ValueError, match=r"'nowhere', which is not loaded.*'prompt'"):
                dfk.submit(add, (), executors, False, None, {})
            assert dfk.task_count == 0

    def test_without_executors_the_call_says_so(self, tmp_path: Any) -> None:
        with kernel(tmp_path) as dfk, pytest.raises(ValueError, match="has no executors"):
            call(dfk, add)

    def test_an_invalid_resource_specification_is_an_error_at_the_call(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        executor.refusal = InvalidResourceSpecification({"priority"})
        with kernel(tmp_path, executor, retries=5) as dfk:
            with pytest.raises(InvalidResourceSpecification):
                call(dfk, add, parsl_resource_specification={"priority": 1})
            assert dfk.task_state_counts[States.failed] == 1

    def test_it_fails_the_future_of_a_task_that_had_to_wait(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        executor.refusal = InvalidResourceSpecification({"priority"})
        with kernel(tmp_path, executor, retries=5) as dfk:
            parent: Future[int] = Future()
            child = call(dfk, add, parent, parsl_resource_specification={"priority": 1})
            parent.set_result(1)
            assert isinstance(child.exception(), InvalidResourceSpecification)
            assert child.task_record.fail_count == 0

    def test_another_error_of_the_executor_fails_the_future(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        executor.refusal = TypeError("cannot pickle that")
        with kernel(tmp_path, executor) as dfk:
            future = call(dfk, add)
            assert isinstance(future.exception(), TypeError)
            assert future.task_status() == "failed"

    def test_arguments_may_have_the_names_of_submits_own_parameters(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            arguments = {"func": 1, "self": 2, "resource_specification": 3}
            future = dfk.submit(lambda **given: given, (), "all", False, None, arguments)
            assert future.result() == arguments

    def test_a_call_after_the_cleanup_is_an_error(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            pass
        with pytest.raises(NoDataFlowKernelError, match="cleaned up"):
            call(dfk, add)


class TestConsistency:
    def test_counts_are_right_as_soon_as_there_is_a_result(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            for number in range(500):
                future = call(dfk, add, number)
                held = executor.held.pop()
                runner = threading.Thread(target=held.run)
                runner.start()
                assert future.result(10) == number
                assert dfk.task_state_counts[States.exec_done] == number + 1
                assert future.task_status() == "exec_done"
                assert not dfk.tasks
                runner.join()

    def test_counts_cover_every_task(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            call(dfk, add, call(dfk, fail))
            executor.run_all()
            call(dfk, add, call(dfk, add))
            counts = {state.name: count for state, count in dfk.task_state_counts.items() if count}
            assert counts == {"failed": 1, "dep_fail": 1, "launched": 1, "pending": 1}
            dfk._graph.validate()

    def test_finished_tasks_are_forgotten(self, tmp_path: Any) -> None:
        class Large:
            pass

        large = Large()
        gone = weakref.ref(large)
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            future = call(dfk, lambda argument: 1, large)
            del large
            executor.run_all()
            assert gone() is None
            assert dfk.tasks == {}
            assert (future.tid, future.task_status(), future.stdout) == (0, "exec_done", None)

    def test_unless_garbage_collection_is_off(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), garbage_collect=False) as dfk:
            future = call(dfk, add, 1, 2)
            assert dfk.tasks[0]["args"] == (1, 2)
            assert dfk.tasks[0]["app_fu"] is future
            dfk._graph.validate()
            dfk.wipe_task(0)
            assert dfk.tasks == {}

    def test_finished_tasks_are_no_cyclic_garbage(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            gc.collect()
            gc.disable()
            try:
                future = call(dfk, add, 1)
                executor.run_all()
                gone = weakref.ref(future)
                del future
                assert gone() is None
            finally:
                gc.enable()

    def test_memory_for_an_outstanding_task(self, tmp_path: Any) -> None:
        import tracemalloc

        executor = HoldingExecutor()
        executor.submit = lambda *_: Future.__new__(Future)  # type: ignore[method-assign]
        Future.add_done_callback, original = (lambda *_: None), Future.add_done_callback  # type: ignore[method-assign]
        try:
            with kernel(tmp_path, executor) as dfk:
                count = 1000
                tracemalloc.start()
                futures = [call(dfk, add) for _ in range(count)]
                size, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                assert size / len(futures) < 1000
                dfk._graph.tasks.clear()
        finally:
            Future.add_done_callback = original  # type: ignore[method-assign]


class TestDepth:
    LENGTH = 20_000

    def test_a_long_chain_needs_no_deep_stack(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            last: Any = root
            for _ in range(self.LENGTH):
                last = call(dfk, add, last, 1)
            root.set_result(0)
            assert last.result() == self.LENGTH

    def test_a_failure_at_the_head_of_a_long_chain(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            last: Any = root
            for _ in range(self.LENGTH):
                last = call(dfk, add, last)
            root.set_exception(ValueError("root"))
            assert isinstance(last.exception(), DependencyError)
            assert "ValueError: root" in str(last.exception())
            assert dfk.task_state_counts[States.dep_fail] == self.LENGTH

    def test_a_long_chain_of_parts(self, tmp_path: Any) -> None:
        nested: list[Any] = []
        nested.append(nested)
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[Any] = Future()
            last: Any = call(dfk, lambda x: x, root)
            for _ in range(2000):
                last = last[0]
            root.set_result(nested)
            assert last.result() is nested

    def test_a_wide_fan_in(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            total = call(dfk, add, *[call(dfk, add, 1) for _ in range(10_000)])
            assert executor.run_all() == 10_001
            assert total.result() == 10_000

    def test_a_users_callback_may_wait_for_a_dependent(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            root: Future[int] = Future()
            parent = call(dfk, add, root)
            seen: list[int] = []
            parent.add_done_callback(lambda _: seen.append(child.result(5)))
            child = call(dfk, add, parent, 1)
            root.set_result(1)
            assert seen == [2]

    def test_many_threads_submit_and_complete(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            over = threading.Event()

            def complete() -> None:
                while not over.is_set() or executor.held:
                    try:
                        executor.held.pop(0).run()
                    except IndexError:
                        over.wait(0.001)

            def submit(results: list[Any]) -> None:
                last = call(dfk, add, 0)
                for _ in range(300):
                    last = call(dfk, add, last, 1)
                results.append(last.result(30))

            results: list[Any] = []
            completers = [threading.Thread(target=complete) for _ in range(3)]
            submitters = [threading.Thread(target=submit, args=(results,)) for _ in range(4)]
            for thread in completers + submitters:
                thread.start()
            for thread in submitters:
                thread.join()
            over.set()
            for thread in completers:
                thread.join()
            assert results == [300] * 4
            assert dfk.task_count == 4 * 301
            assert not dfk.tasks


class TestRetries:
    def test_a_task_is_tried_again(self, tmp_path: Any) -> None:
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

    def test_but_no_more_often_than_allowed(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor, retries=2) as dfk:
            assert isinstance(call(dfk, fail).exception(), ValueError)
            assert executor.calls == 3

    def test_arguments_are_futures_results_each_time(self, tmp_path: Any) -> None:
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

    def test_the_handler_says_what_a_failure_costs(self, tmp_path: Any) -> None:
        seen: list[Any] = []

        def handler(error: Exception, record: Any) -> float:
            seen.append(
                (type(error), record["func_name"], record["fail_count"], record["fail_cost"], record["args"])
            )
            return 0.6

        executor = PromptExecutor()
        with kernel(tmp_path, executor, retries=1, retry_handler=handler) as dfk:
            assert isinstance(call(dfk, fail, 5).exception(), ValueError)
        assert seen == [(ValueError, "fail", 1, 0, (5,)), (ValueError, "fail", 2, 0.6, (5,))]

    @pytest.mark.parametrize("answer", [None, "x"])
    def test_a_handler_that_fails_is_explained(self, tmp_path: Any, answer: Any) -> None:
        def handler(error: Exception, record: Any) -> Any:
            return 1 / 0 if answer is None else answer

        with kernel(tmp_path, PromptExecutor(), retries=5, retry_handler=handler) as dfk:
            error = call(dfk, fail).exception()
            assert isinstance(error, DataFlowException)
            assert "retry_handler" in str(error)
            assert "ValueError('failed')" in str(error)
            assert error.__cause__ is not None

    def test_a_dependent_waits_for_the_last_attempt(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, retries=1) as dfk:
            child = call(dfk, add, call(dfk, fail))
            executor.held.pop(0).run()
            assert not child.done()
            executor.run_all()
            assert isinstance(child.exception(), DependencyError)

    def test_a_failing_submission_is_tried_again(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        executor.refusal = OSError("not now")
        with kernel(tmp_path, executor, retries=2) as dfk:
            future = call(dfk, add)
            assert isinstance(future.exception(), OSError)
            assert future.task_record.fail_count == 3


class TestCancel:
    def test_a_waiting_task(self, tmp_path: Any) -> None:
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
            dfk._graph.validate()

    def test_a_launched_task_that_the_executor_can_cancel(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, retries=3) as dfk:
            future = call(dfk, add)
            assert future.cancel()
            assert future.cancelled()
            assert executor.held[0].future.cancelled()
            assert len(executor.held) == 1
            assert dfk.task_state_counts[States.failed] == 1

    def test_a_launched_task_that_it_cannot_cancel(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            future = call(dfk, add)
            executor.held[0].future.set_running_or_notify_cancel()
            assert not future.cancel()
            executor.held[0].future.set_result(1)
            assert future.result() == 1
            assert not future.cancel()
            assert not future.cancelled()

    def test_an_executor_that_cancels_by_itself(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            future = call(dfk, add)
            executor.held[0].future.cancel()
            assert future.cancelled()

    def test_while_it_is_being_submitted(self, tmp_path: Any) -> None:
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

    def test_against_completion(self, tmp_path: Any) -> None:
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


class TestWaiting:
    def test_it_waits_for_all_there_are_and_not_for_later_ones(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [call(dfk, add, number) for number in range(10)]
            futures.append(call(dfk, add, futures[0]))
            waiting = threading.Thread(target=dfk.wait_for_current_tasks)
            waiting.start()
            while futures[-1]._cond is None:
                pass
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

    def test_failures_and_cancellations_are_none_of_its_business(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            call(dfk, fail)
            executor.run_all()
            call(dfk, add).cancel()
            dfk.wait_for_current_tasks()


class TestExecutors:
    def test_they_are_started_and_shut_down(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            assert executor.events == ["start"]
            assert executor.run_dir == dfk.run_dir
            assert executor.run_id == dfk.run_id
        assert executor.events == ["start", "shutdown"]

    def test_more_can_be_added(self, tmp_path: Any) -> None:
        with kernel(tmp_path) as dfk:
            dfk.add_executors([PromptExecutor("new")])
            assert dfk.submit(add, (1,), ["new"], False, None, {}).result() == 1
            assert call(dfk, add, 2).result() == 2

    @pytest.mark.parametrize("label", ["holding", "_parsl_internal"])
    def test_a_label_that_is_taken_is_refused(self, tmp_path: Any, label: str) -> None:
        other = HoldingExecutor(label)
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            with pytest.raises(ConfigurationError, match=f"unique labels: '{label}'"):
                dfk.add_executors([other])
            assert other.events == []

    def test_if_one_cannot_start_those_before_it_are_shut_down(self, tmp_path: Any) -> None:
        good, bad = HoldingExecutor("good"), HoldingExecutor("bad")

        def start() -> None:
            raise OSError("port taken")

        bad.start = start  # type: ignore[method-assign]
        with pytest.raises(OSError, match="port taken"):
            kernel(tmp_path, good, bad)
        assert good.events == ["start", "shutdown"]
        assert bad.events == ["shutdown"]


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

    def test_a_second_one_does_nothing(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            dfk.cleanup()
        dfk.cleanup()
        assert executor.events == ["start", "shutdown"]

    def test_every_executor_is_shut_down_even_if_one_fails_to(
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

    def test_but_not_after_an_exception(self, tmp_path: Any) -> None:
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
        assert "exec_done: 1" in text
        assert "Task 1 (fail) has failed" in text
        assert "Task 1 (fail) is tried again" in text
        assert "Task 0" not in text

    def test_repr(self, tmp_path: Any) -> None:
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            call(dfk, add)
            assert repr(dfk) == (
                "<DataFlowKernel running, <TaskGraph 1 tasks: 1 launched>, <ExecutorSet holding>>"
            )


def test_a_config_is_needed() -> None:
    with pytest.raises(TypeError, match="config is None"):
        DataFlowKernel(None)  # type: ignore[arg-type]


def test_run_ids_are_uuids(tmp_path: Any) -> None:
    from uuid import RFC_4122, UUID

    with kernel(tmp_path) as first, kernel(tmp_path) as second:
        assert first.run_id != second.run_id
        assert UUID(first.run_id).version == 4
        assert UUID(first.run_id).variant == RFC_4122
        assert str(UUID(first.run_id)) == first.run_id
        assert first.run_dir != second.run_dir


def test_a_task_submitted_while_the_run_ends_does_not_hang(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        gather = dfk._dependencies.gather

        def end_first(*arguments: Any) -> Any:
            dfk.cleanup()
            return gather(*arguments)

        dfk._dependencies.gather = end_first  # type: ignore[method-assign]
        assert "when the run was over" in str(call(dfk, add, Future()).exception(5))


def test_a_foreign_future_that_raises_ends_its_task(tmp_path: Any) -> None:
    class Odd(Future):  # type: ignore[type-arg]
        def exception(self, timeout: float | None = None) -> Any:
            raise OSError("odd")

    odd = Odd()
    odd.set_result(1)
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        assert isinstance(call(dfk, add, odd).exception(5), OSError)
        executor.submit = lambda *_: odd  # type: ignore[method-assign]
        assert isinstance(call(dfk, add).exception(5), OSError)
        dfk._graph.validate()
