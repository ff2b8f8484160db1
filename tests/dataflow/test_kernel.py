"""Calls and their execution: the kernel as its users see it."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from concurrent.futures import Future
from typing import Any

import pytest

from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.states import States
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from parsl.executors.errors import InvalidResourceSpecification
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel


class TestSubmission:
    def test_a_task_is_submitted_to_the_executor_and_its_result_is_delivered(self, tmp_path: Any) -> None:
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

    def test_without_executors_the_call_is_an_error(self, tmp_path: Any) -> None:
        with kernel(tmp_path) as dfk, pytest.raises(ValueError, match="has no executors"):
            call(dfk, add)

    def test_an_invalid_resource_specification_is_an_error_at_the_call(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        executor.refusal = InvalidResourceSpecification({"priority"})
        with kernel(tmp_path, executor, retries=5) as dfk:
            with pytest.raises(InvalidResourceSpecification):
                call(dfk, add, parsl_resource_specification={"priority": 1})
            assert dfk.task_state_counts[States.failed] == 1

    def test_an_invalid_specification_fails_the_future_of_a_task_with_dependencies(
        self, tmp_path: Any
    ) -> None:
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
            dfk.validate_state()

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

    def test_finished_tasks_are_kept_without_garbage_collection(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor(), garbage_collect=False) as dfk:
            future = call(dfk, add, 1, 2)
            assert dfk.tasks[0]["args"] == [1, 2]
            assert dfk.tasks[0]["app_fu"] is future
            dfk.validate_state()
            dfk.wipe_task(0)
            assert dfk.tasks == {}

    def test_finished_tasks_leave_no_cyclic_garbage(self, tmp_path: Any) -> None:
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
                dfk.tasks.clear()
        finally:
            Future.add_done_callback = original  # type: ignore[method-assign]


class TestExecutors:
    def test_executors_are_started_and_shut_down(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            assert executor.events == ["start"]
            assert executor.run_dir == dfk.run_dir
            assert executor.run_id == dfk.run_id
        assert executor.events == ["start", "shutdown"]

    def test_executors_can_be_added(self, tmp_path: Any) -> None:
        with kernel(tmp_path) as dfk:
            dfk.add_executors([PromptExecutor("new")])
            assert dfk.submit(add, (1,), ["new"], False, None, {}).result() == 1
            assert call(dfk, add, 2).result() == 2

    @pytest.mark.parametrize("label", ["holding", "_parsl_internal"])
    def test_a_duplicate_label_is_refused(self, tmp_path: Any, label: str) -> None:
        other = HoldingExecutor(label)
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            with pytest.raises(ConfigurationError, match=f"unique labels: '{label}'"):
                dfk.add_executors([other])
            assert other.events == []

    def test_if_an_executor_cannot_start_the_earlier_ones_are_shut_down(self, tmp_path: Any) -> None:
        good, bad = HoldingExecutor("good"), HoldingExecutor("bad")

        def start() -> None:
            raise OSError("port taken")

        bad.start = start  # type: ignore[method-assign]
        with pytest.raises(OSError, match="port taken"):
            kernel(tmp_path, good, bad)
        assert good.events == ["start", "shutdown"]
        assert bad.events == ["shutdown"]


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
        dfk.validate_state()


class TestAttributes:
    def test_the_workflow_is_named_after_the_calling_file_and_its_change(self, tmp_path: Any) -> None:
        script = tmp_path / "my script.py"
        script.write_text("from parsl import Config, load\ndfk = load(Config(executors=[], run_dir=run_dir))")
        os.utime(script, (0, 86400 * 365))
        names = {"run_dir": str(tmp_path)}
        exec(compile(script.read_text(), str(script), "exec"), names)
        with names["dfk"] as dfk:
            assert (dfk.workflow_name, dfk.workflow_version[:5]) == ("my script.py", "1971-")
            assert len(dfk.workflow_version) == len("1971-01-01 00:00:00")

    def test_code_without_a_file_is_as_old_as_the_run(self, tmp_path: Any) -> None:
        names = {"run_dir": str(tmp_path)}
        source = "from parsl import Config, load\ndfk = load(Config(executors=[], run_dir=run_dir))"
        exec(compile(source, "<string>", "exec"), names)
        with names["dfk"] as dfk:
            assert dfk.workflow_name == "<string>"
            assert dfk.workflow_version >= "2026"

    @pytest.mark.parametrize("level", [0, 1])
    def test_there_is_a_usage_tracker(self, tmp_path: Any, level: int) -> None:
        with kernel(tmp_path, PromptExecutor(), usage_tracking=level) as dfk:
            assert dfk.usage_tracker.tracking_level == level
            assert dfk.usage_tracker is dfk.usage_tracker
            run_dir = dfk.run_dir
        assert os.path.exists(os.path.join(run_dir, "usage.jsonl")) == bool(level)

    def test_the_tasks_can_be_replaced(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, garbage_collect=False) as dfk:
            call(dfk, add, 1)
            executor.run_all()
            dfk.tasks = mine = {}
            assert dfk.tasks is mine == {}
            future = call(dfk, add, 2)
            assert list(mine) == [1]
            executor.run_all()
            assert future.result() == 2

    def test_unfinished_tasks_stay_when_the_tasks_are_replaced(self, tmp_path: Any) -> None:
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            future = call(dfk, add, 1)
            dfk.tasks = {}
            assert list(dfk.tasks) == [0]
        assert future.done()

    def test_tasks_have_to_be_a_dictionary(self, tmp_path: Any) -> None:
        with kernel(tmp_path) as dfk, pytest.raises(ConfigurationError, match="tasks"):
            dfk.tasks = []
