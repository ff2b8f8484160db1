from __future__ import annotations

import contextlib
import threading
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from parsl import AUTO_LOGNAME, bash_app, join_app, python_app
from parsl.common.threads import together
from parsl.data_provider.files import File
from parsl.dataflow.errors import DataFlowException
from parsl.dataflow.memoization import BasicMemoizer, CheckpointCommand, Memoizer, UnknownMemoType, make_hash
from parsl.dataflow.states import States
from parsl.executors.errors import ExecutorError
from parsl.executors.threads import ThreadPoolExecutor
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, fail, kernel


def cached(dfk: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    return dfk.submit(func, args, "all", True, None, kwargs)


class TestWithinARun:
    def test_a_repeated_call_is_not_executed_again(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            first, second, other = cached(dfk, add, 1, 2), cached(dfk, add, 1, 2), cached(dfk, add, 2, 1)
            assert [future.result() for future in (first, second, other)] == [3, 3, 3]
            assert executor.calls == 2
            assert (first.task_status(), second.task_status()) == ("exec_done", "memo_done")
            assert (first.task_record["from_memo"], second.task_record["from_memo"]) == (False, True)
            assert first.task_record["hashsum"] == second.task_record["hashsum"]
            assert len(first.task_record["hashsum"]) == 32
            assert dfk.task_state_counts[States.memo_done] == 1
            assert not dfk.tasks

    def test_a_repeated_failed_call_is_not_executed_again(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor, retries=2) as dfk:
            first, second = cached(dfk, fail, 1), cached(dfk, fail, 1)
            assert second.exception() is first.exception()
            assert executor.calls == 3
            assert second.task_status() == "failed"
            assert second.task_record["from_memo"]

    def test_calls_of_apps_without_caching_are_executed(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            for _ in range(2):
                future = dfk.submit(add, (1,), "all", False, None, {})
            assert executor.calls == 2
            assert (future.task_record["from_memo"], future.task_record["hashsum"]) == (None, None)

    def test_dependencies_count_by_their_results(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            one = Future[int]()
            first = cached(dfk, add, one, 1)
            assert cached(dfk, add, 5, 1).result() == 6
            one.set_result(5)
            assert (first.result(), first.task_status()) == (6, "memo_done")
            assert executor.calls == 1

    def test_a_result_is_reusable_as_soon_as_it_is_visible(self, tmp_path: Any) -> None:
        with kernel(tmp_path, ThreadPoolExecutor(max_threads=4)) as dfk:
            for number in range(200):
                assert cached(dfk, add, number).result() == number
                assert cached(dfk, add, number).task_status() == "memo_done"

    def test_without_memoize_every_call_is_executed(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        memoizer = BasicMemoizer(memoize=False, checkpoint_mode="task_exit")
        with kernel(tmp_path, executor, memoizer=memoizer) as dfk:
            futures = [cached(dfk, add, 1) for _ in range(2)]
            assert executor.calls == 2
            assert futures[0].task_record["hashsum"] is None

    def test_ignored_arguments_do_not_count_however_they_are_given(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:

            @python_app(data_flow_kernel=dfk, cache=True, ignore_for_cache=["seed", "stdout"])
            def f(x: int, seed: Any = None) -> Any:
                return x, seed

            assert f(1, seed=2).result() == f(1, seed=object()).result() == (1, 2)
            assert f(1, 5).result() == f(1, {}).result()
            assert f(2, seed=2).result() == (2, 2)
            assert executor.calls <= 3

    def test_ignored_arguments_may_be_among_the_extra_ones(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:

            @python_app(data_flow_kernel=dfk, cache=True, ignore_for_cache=["notes"])
            def f(x: int, *notes: Any) -> Any:
                return x, notes

            assert f(1, "a", "b").result() == f(1, "c").result() == f(1).result() == (1, ("a", "b"))
            assert f(2, "c").result() == (2, ("c",))

    def test_how_and_where_to_run_does_not_count(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            command = bash_app(lambda x, **_: "true", dfk, cache=True)
            command(1)
            for name, value in {
                "walltime": 5,
                "label": "x",
                "parsl_resource_specification": {"a": 1},
            }.items():
                assert command(1, **{name: value}).task_status() == "memo_done"
            for _ in range(2):
                assert command(1, stdout=AUTO_LOGNAME).task_status() == "memo_done"
            path = str(tmp_path / "out")
            assert [command(1, stdout=path).task_status() for _ in "12"] == ["exec_done", "memo_done"]

    def test_outputs_count_by_their_names(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:

            @bash_app(data_flow_kernel=dfk, cache=True)
            def write(outputs: Any = ()) -> str:
                return f"test ! -e {outputs[0]} && touch {outputs[0]}"

            path = tmp_path / "a"
            first, second = write(outputs=[File(path)]), write(outputs=[File(path)])
            assert (first.task_status(), second.task_status()) == ("exec_done", "memo_done")
            assert second.outputs[0].result().filepath == str(path)
            assert write(outputs=[File(tmp_path / "b")]).task_status() == "exec_done"

    def test_an_unknown_type_fails_the_task_at_once(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor, retries=3) as dfk:
            future = cached(dfk, add, object())
            assert isinstance(future.exception(), UnknownMemoType)
            assert "id_for_memo.register(object)" in str(future.exception())
            assert (future.task_record["fail_count"], executor.calls) == (0, 0)

    def test_failures_of_the_machinery_are_not_kept(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            first = cached(dfk, add, 1)
            executor.held.pop().future.set_exception(ExecutorError(executor, "lost"))
            assert isinstance(first.exception(), ExecutorError)
            second = cached(dfk, add, 1)
            executor.run_all()
            assert second.result() == 1


class TestInFlight:
    def test_identical_calls_are_executed_once(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [cached(dfk, add, 1, 2) for _ in range(10)]
            assert len(executor.held) == 1
            assert not any(future.done() for future in futures)
            assert futures[1].task_status() == "pending"
            executor.run_all()
            assert [future.result() for future in futures] == [3] * 10
            assert [future.task_status() for future in futures] == ["exec_done"] + ["memo_done"] * 9

    def test_a_failure_is_shared_after_the_last_attempt(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor, retries=1) as dfk:
            futures = [cached(dfk, fail, 1) for _ in range(3)]
            assert executor.run_all() == 2
            assert {future.exception() for future in futures} == {futures[0].exception()}

    def test_when_the_running_call_is_cancelled_another_runs(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [cached(dfk, add, 1) for _ in range(3)]
            assert futures[0].cancel()
            assert len(executor.held) == 2
            executor.run_all()
            assert [future.result() for future in futures[1:]] == [1, 1]
            assert [future.task_status() for future in futures] == ["failed", "exec_done", "memo_done"]

    def test_cancelling_a_waiting_call_does_not_affect_the_others(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            futures = [cached(dfk, add, 1) for _ in range(3)]
            assert futures[1].cancel()
            executor.run_all()
            assert (futures[0].result(), futures[2].result()) == (1, 1)
            with pytest.raises(CancelledError):
                futures[1].result()

    def test_a_call_cancelled_before_it_was_ready_delays_no_other(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            dependency = Future[int]()
            first = cached(dfk, add, dependency)
            first.cancel()
            dependency.set_result(1)
            second = cached(dfk, add, 1)
            executor.run_all()
            assert second.result() == 1

    def test_a_call_cancelled_during_the_lookup_delays_no_other(self, tmp_path: Any) -> None:
        class Cancelling(BasicMemoizer):
            def check_memo(self, task: Any) -> Any:
                known = super().check_memo(task)
                if task.id == 0:
                    task.app_fu.cancel()
                return known

        executor = HoldingExecutor()
        with kernel(tmp_path, executor, memoizer=Cancelling()) as dfk:
            assert cached(dfk, add, 1).cancelled()
            second = cached(dfk, add, 1)
            executor.run_all()
            assert second.result() == 1

    def test_the_end_of_the_run_ends_waiting_calls(self, tmp_path: Any) -> None:
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            futures = [cached(dfk, add, 1) for _ in range(3)]
        for future in futures:
            assert isinstance(future.exception(timeout=30), DataFlowException)

    def test_many_threads_share_one_execution(self, tmp_path: Any) -> None:
        runs: list[int] = []

        def slow(x: int) -> int:
            runs.append(x)
            return x

        with kernel(tmp_path, ThreadPoolExecutor(max_threads=4)) as dfk:
            futures: list[Any] = []

            def call_all() -> None:
                futures.extend(cached(dfk, slow, number) for number in range(300))

            threads = [threading.Thread(target=call_all) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(future.result() for future in futures) == 4 * sum(range(300))
        assert sorted(runs) == list(range(300))


class TestJoinApps:
    def test_the_joined_result_is_kept(self, tmp_path: Any) -> None:
        executor = PromptExecutor()
        with kernel(tmp_path, executor) as dfk:
            bodies: list[int] = []

            @join_app(data_flow_kernel=dfk, cache=True)
            def twice(x: int) -> Any:
                bodies.append(x)
                return [dfk.submit(add, (x,), "all", False, None, {}) for _ in range(2)]

            assert [twice(1).result(5) for _ in range(3)] == [[1, 1]] * 3
            assert (bodies, executor.calls) == ([1], 2)

    def test_a_call_that_would_wait_for_itself_fails(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:

            @join_app(data_flow_kernel=dfk, cache=True)
            def again(x: int) -> Any:
                return again(x)

            with pytest.raises(DataFlowException, match="wait for itself"):
                again(1).result(5)


class TestPlugIns:
    def test_a_memoizer_is_queried_and_notified_about_every_task(self, tmp_path: Any) -> None:
        events: list[Any] = []

        class Recording(Memoizer):
            def start(self, *, run_dir: str, config_run_dir: str) -> None:
                events.append(("start", run_dir.startswith(config_run_dir)))

            def check_memo(self, task: Any) -> Any:
                events.append(("check", task["id"], task["memoize"], list(task["args"])))

            def update_memo_result(self, task: Any, r: Any) -> None:
                assert not task["app_fu"].done()
                events.append(("result", task["id"], r))

            def update_memo_exception(self, task: Any, e: BaseException) -> None:
                events.append(("exception", task["id"], type(e).__name__))

            def close(self) -> None:
                events.append(("close",))

        with kernel(tmp_path, PromptExecutor(), memoizer=Recording(), retries=1) as dfk:
            first = dfk.submit(add, (1,), "all", False, None, {})
            cached(dfk, add, first)
            failed = cached(dfk, fail, 2)
            cached(dfk, add, failed)
            assert isinstance(dfk.memoizer, Recording)
        assert events == [
            ("start", True),
            ("check", 0, False, [1]), ("result", 0, 1), ("check", 1, True, [1]), ("result", 1, 1),
            ("check", 2, True, [2]), ("check", 2, True, [2]), ("exception", 2, "ValueError"),
            ("exception", 3, "DependencyError"), ("close",),
        ]  # fmt: skip

    def test_a_memoizers_future_is_the_outcome_now_or_later(self, tmp_path: Any) -> None:
        outcome = Future[Any]()

        class Known(Memoizer):
            def check_memo(self, task: Any) -> Any:
                return outcome

        with kernel(tmp_path, PromptExecutor(), memoizer=Known()) as dfk:
            early = cached(dfk, add, 1)
            assert not early.done()
            outcome.set_result("known")
            late = cached(dfk, add, 2)
            assert (early.result(), late.result(), late.task_status()) == ("known", "known", "memo_done")

    def test_a_failing_memoizer_loses_no_result(
        self, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(Memoizer):
            commits = True

            def update_memo_result(self, task: Any, r: Any) -> None:
                raise OSError("no")

            commit = close = lambda self: 1 / 0

        with pytest.raises(ZeroDivisionError), kernel(tmp_path, PromptExecutor(), memoizer=Failing()) as dfk:
            assert cached(dfk, add, 1).result() == 1
        assert "could not record the result" in caplog.text

    def test_a_subclass_of_the_basic_memoizer_is_notified_of_each_result(self, tmp_path: Any) -> None:
        class Telling(BasicMemoizer):
            def update_memo_result(self, task: Any, r: Any) -> None:
                called.append(r)
                super().update_memo_result(task, r)

        called: list[Any] = []
        memoizer = Telling(checkpoint_mode="task_exit")
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            assert [cached(dfk, add, number).result() for number in (1, 2, 1)] == [1, 2, 1]
        assert called == [1, 2]

    def test_an_interrupt_during_a_commit_loses_no_result(self, tmp_path: Any) -> None:
        class Interrupted(Memoizer):
            commits = True

            def commit(self) -> None:
                raise KeyboardInterrupt

        executor = HoldingExecutor()
        with kernel(tmp_path, executor, memoizer=Interrupted()) as dfk:
            futures = [cached(dfk, add, number) for number in range(3)]
            with contextlib.suppress(KeyboardInterrupt):
                together(executor.run_all)
            assert [future.result(timeout=60) for future in futures] == [0, 1, 2]

    def test_a_memoizer_that_raises_fails_the_task(self, tmp_path: Any) -> None:
        class Failing(Memoizer):
            def check_memo(self, task: Any) -> Any:
                raise OSError("no")

        with kernel(tmp_path, PromptExecutor(), memoizer=Failing()) as dfk:
            assert isinstance(cached(dfk, add, 1).exception(), OSError)


def test_the_hash_is_available() -> None:
    from parsl.dataflow.taskrecord import TaskRecord

    def record(*args: Any, **kwargs: Any) -> Any:
        return TaskRecord(None, add, args, kwargs, "executor", 0.0)  # type: ignore[arg-type]

    assert make_hash(record(1)) == make_hash(record(1)) != make_hash(record(2))
    assert make_hash(record(a=1)) != make_hash(record(1))
    assert make_hash(record([1])) != make_hash(record(1))
    assert make_hash(record("1")) != make_hash(record(1))
    assert make_hash(record(a=1, b=2)) == make_hash(record(b=2, a=1)) != make_hash(record(a=2, b=1))
    assert make_hash(record(1, b=2)) != make_hash(record(1, b="2"))
    with_results = record(1)
    with_results.args = [1]  # as after dependencies have been replaced
    assert make_hash(with_results) == make_hash(record(1))


def test_checkpoint_commands_keep_their_fields() -> None:
    command = CheckpointCommand("task", result=1)  # type: ignore[arg-type]
    assert (command.task_record, command.result, command.exception) == ("task", 1, None)


def test_the_older_meaning_of_functions(tmp_path: Any) -> None:
    def define(sign: str) -> Any:
        module: dict[str, Any] = {"__name__": "module"}
        exec(f"def f(x): return x {sign} 1", module)
        return module["f"]

    for identity, expected in {"code": 4, "name": 6}.items():
        memoizer = BasicMemoizer(function_identity=identity)  # type: ignore[arg-type]
        with kernel(tmp_path, PromptExecutor(), memoizer=memoizer) as dfk:
            assert cached(dfk, define("+"), 5).result() == 6
            assert cached(dfk, define("-"), 5).result() == expected
