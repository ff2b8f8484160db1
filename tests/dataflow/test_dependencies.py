from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from parsl.data_provider.files import File
from parsl.dataflow.dependency_resolvers import (
    DEEP_DEPENDENCY_RESOLVER,
    DependencyResolver,
    deep_traverse_to_gather,
    deep_traverse_to_unwrap,
    shallow_traverse_to_gather,
    shallow_traverse_to_unwrap,
)
from parsl.dataflow.errors import DataFlowException, DependencyError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel


def done(result: Any = 5) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future


class TestResolvers:
    def test_shallow(self) -> None:
        future = done()
        assert shallow_traverse_to_gather(future) == [future]
        assert shallow_traverse_to_gather([future]) == []
        assert shallow_traverse_to_unwrap(future) == 5
        assert shallow_traverse_to_unwrap([future]) == [future]

    @pytest.mark.parametrize("make", [list, tuple, set, frozenset])
    def test_deep_resolves_containers_and_keeps_their_type(self, make: Any) -> None:
        future = done()
        assert list(deep_traverse_to_gather(make([1, future]))) == [future]
        unwrapped = deep_traverse_to_unwrap(make([1, future]))
        assert unwrapped == make([1, 5])
        assert type(unwrapped) is make

    def test_deep_resolves_keys_values_and_nested_containers(self) -> None:
        key, value = done("k"), done("v")
        argument = [({key: [value]},)]
        assert list(deep_traverse_to_gather(argument)) == [key, value]
        assert deep_traverse_to_unwrap(argument) == [({"k": ["v"]},)]

    def test_deep_does_not_change_subclasses(self) -> None:
        class Mine(list):  # type: ignore[type-arg]
            pass

        mine = Mine([done()])
        assert list(deep_traverse_to_gather(mine)) == []
        assert deep_traverse_to_unwrap(mine) is mine

    def test_deep_returns_from_a_list_that_contains_itself(self) -> None:
        future = done()
        endless: list[Any] = [future]
        endless.append(endless)
        assert list(deep_traverse_to_gather(endless)) == [future]
        endless.remove(future)
        assert deep_traverse_to_unwrap(endless) is endless

    def test_deep_does_not_copy_containers_without_futures(self) -> None:
        plain = [1, {"k": (2, 3)}]
        assert list(deep_traverse_to_gather(plain)) == []
        assert deep_traverse_to_unwrap(plain) is plain
        assert deep_traverse_to_unwrap([plain, done()]) == [plain, 5]
        deep: Any = 1
        for _ in range(10_000):
            deep = [deep]
        assert deep_traverse_to_unwrap(deep) is deep


def test_futures_are_found_in_every_place(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        parent = call(dfk, add, 1)

        def use(a: Any, *, b: Any, inputs: Any) -> Any:
            return a, b, inputs

        child = call(dfk, use, parent, b=parent, inputs=[parent, 7])
        assert child.task_status() == "pending"
        assert executor.run_all() == 2
        assert child.result() == (1, 1, [1, 7])


def test_additions_to_inputs_after_the_call_do_not_count(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        results: list[Any] = [Future[int]()]
        for _ in range(3):
            results.append(call(dfk, lambda inputs: sum(inputs), inputs=results))
        results[0].set_result(1)
        executor.run_all()
        assert [future.result(60) for future in results] == [1, 1, 2, 4]


def test_an_argument_that_gets_a_future_after_the_call_fails_the_task(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, dependency_resolver=DEEP_DEPENDENCY_RESOLVER) as dfk:
        first: Future[int] = Future()
        items: list[Any] = [first]
        task = call(dfk, lambda items: len(items), items)
        items.append(task)
        first.set_result(1)
        with pytest.raises(DataFlowException, match="changed after the call"):
            task.result(60)


def test_the_shallow_resolver_leaves_futures_in_lists(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        parent = call(dfk, add, 1)
        assert call(dfk, lambda items: items, [parent]).result() == [parent]


def test_the_deep_resolver_waits_for_futures_in_lists(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, dependency_resolver=DEEP_DEPENDENCY_RESOLVER) as dfk:
        parent = call(dfk, add, 1)
        child = call(dfk, lambda items, inputs: (items, inputs), {"k": [parent]}, inputs=[[parent]])
        executor.run_all()
        assert child.result() == ({"k": [1]}, [[1]])


def test_a_users_resolver_that_raises_fails_the_task(tmp_path: Any) -> None:
    def unwrap(argument: object) -> object:
        raise KeyError("unwrap")

    resolver = DependencyResolver(shallow_traverse_to_gather, unwrap)
    with kernel(tmp_path, PromptExecutor(), dependency_resolver=resolver) as dfk:
        assert isinstance(call(dfk, add, done()).exception(), KeyError)


def test_a_foreign_future_is_a_dependency(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        foreign: Future[int] = Future()
        child = call(dfk, add, foreign, 1)
        assert child.task_status() == "pending"
        foreign.set_result(2)
        assert child.result() == 3


def test_one_future_as_several_arguments(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor) as dfk:
        parent = call(dfk, add, 1)
        child = call(dfk, add, parent, parent, parent)
        executor.run_all()
        assert child.result() == 3
        failed = call(dfk, fail)
        child = call(dfk, add, failed, failed)
        executor.run_all()
        assert len(child.exception().dependent_exceptions_tids) == 1


def test_tasks_of_two_kernels(tmp_path: Any) -> None:
    first, second = HoldingExecutor(), HoldingExecutor()
    with kernel(tmp_path, first) as dfk1, kernel(tmp_path, second) as dfk2:
        parent = call(dfk1, add, 1)
        child = call(dfk2, add, parent)
        assert not second.held
        first.run_all()
        second.run_all()
        assert child.result() == 1
        failed = call(dfk1, fail)
        child = call(dfk2, add, failed)
        first.run_all()
        assert "another kernel" in str(child.exception())


class TestFailure:
    def test_the_dependent_is_not_run_and_names_the_root_cause(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            root = call(dfk, fail)
            child = call(dfk, add, root)
            grandchild = call(dfk, add, child)
            assert executor.run_all() == 1
            error = grandchild.exception()
            assert isinstance(error, DependencyError)
            assert error.task_id == grandchild.tid
            assert "task 1 <- task 0" in str(error)
            assert "ValueError: failed" in str(error)
            assert [f.task_status() for f in (root, child, grandchild)] == ["failed", "dep_fail", "dep_fail"]

    def test_a_failed_foreign_future_is_named(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            foreign: Future[int] = Future()
            foreign.set_exception(KeyError("k"))
            assert "Future at" in str(call(dfk, add, foreign).exception())

    def test_a_cancelled_foreign_future_is_a_failure(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            foreign: Future[int] = Future()
            foreign.cancel()
            assert isinstance(call(dfk, add, foreign).exception(), DependencyError)

    def test_a_task_waits_for_all_dependencies_before_it_fails(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            child = call(dfk, add, call(dfk, fail), call(dfk, fail))
            executor.held.pop(0).run()
            assert not child.done()
            executor.run_all()
            assert [tid for _, tid in child.exception().dependent_exceptions_tids] == ["task 0", "task 1"]

    def test_two_parents_that_fail_at_once_cause_one_failure(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            for _ in range(1000):
                child = call(dfk, add, call(dfk, fail), call(dfk, fail))
                seen: list[Any] = []
                child.add_done_callback(seen.append)
                threads = [threading.Thread(target=held.run) for held in executor.held]
                executor.held.clear()
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert isinstance(child.exception(10), DependencyError)
                assert seen == [child]
            assert dfk.task_state_counts[child.task_record.status] == 1000


class TestFiles:
    def test_a_local_file_is_passed_on(self, tmp_path: Any) -> None:
        with kernel(tmp_path, PromptExecutor()) as dfk:
            assert call(dfk, lambda f: f.filepath, File("/some/path")).result() == "/some/path"

    @pytest.mark.parametrize("place", ["args", "x", "inputs", "outputs", "stdout"])
    def test_a_file_without_a_staging_provider_is_refused_at_the_call(
        self, tmp_path: Any, place: str
    ) -> None:
        remote = File("gopher://host/path")
        value = remote if place in ("x", "stdout") else [remote]
        args, kwargs = ((remote,), {}) if place == "args" else ((), {place: value})
        with kernel(tmp_path, PromptExecutor()) as dfk:
            with pytest.raises(ValueError, match=r"none of its staging providers .* 'gopher'"):
                call(dfk, lambda *_, **__: None, *args, **kwargs)
            assert dfk.tasks == {}

    def test_an_output_is_a_future_of_the_file_and_a_dependency(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            writer = call(dfk, lambda outputs: outputs[0].filepath, outputs=[File("/out")])
            (written,) = writer.outputs
            reader = call(dfk, lambda f, inputs: (f.filepath, inputs[0].filename), written, inputs=[written])
            assert (written.tid, written.filepath, written.filename) == (writer.tid, "/out", "/out")
            assert not written.done()
            assert executor.run_all() == 2
            assert written.result().filepath == "/out"
            assert reader.result() == ("/out", "out")

    def test_an_output_fails_with_its_task(self, tmp_path: Any) -> None:
        executor = HoldingExecutor()
        with kernel(tmp_path, executor) as dfk:
            written = call(dfk, lambda outputs: 1 / 0, outputs=[File("/out")]).outputs[0]
            reader = call(dfk, add, written)
            executor.run_all()
            assert isinstance(written.exception(), ZeroDivisionError)
            assert "file /out of task 0" in str(reader.exception())

    def test_cancelling_an_output_cancels_its_task(self, tmp_path: Any) -> None:
        with kernel(tmp_path, HoldingExecutor()) as dfk:
            writer = call(dfk, lambda outputs: None, outputs=[File("/out")])
            assert writer.outputs[0].cancel()
            assert writer.cancelled()
            assert writer.outputs[0].cancelled()
