"""Results that stay in the engine of their executor until they are needed elsewhere."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, TimeoutError
from pathlib import Path
from typing import Any

import pytest

from parsl.dataflow.dependency_resolvers import DEEP_DEPENDENCY_RESOLVER, DependencyResolver
from parsl.dataflow.errors import DependencyError
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks.task_extra import extra_of
from parsl.executors.base import ParslExecutor
from parsl.vocabulary.kept_value import KeptValue
from tests.dataflow.fakes import PromptExecutor, call, kernel
from tests.support.waiting import is_waiting, wait_until

LIMIT_S = 60


class KeepingExecutor(ParslExecutor):
    """Keeps every result. The test decides when a fetch ends."""

    def __init__(self, label: str = "keeping") -> None:
        super().__init__()
        self.label = label
        self.seen: list[tuple[Any, ...]] = []
        self.fetches: list[tuple[Future[Any], Any]] = []

    def submit(self, func: Any, resource_specification: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self.seen.append(args)
        values = [arg.handle if isinstance(arg, KeptValue) else arg for arg in args]
        future: Future[Any] = Future()
        future.set_result(KeptValue(self, func(*values, **kwargs), self._fetch))
        return future

    def _fetch(self, kept: KeptValue) -> Future[Any]:
        self.fetches.append((Future(), kept.handle))
        return self.fetches[-1][0]

    def finish_fetches(self) -> None:
        while self.fetches:
            future, value = self.fetches.pop(0)
            future.set_result(value)

    def shutdown(self) -> None:
        pass


def double(value: Any) -> Any:
    return 2 * value


def on(executor: ParslExecutor, kernel: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    return kernel.submit(func, args, [executor.label], False, None, kwargs)


def test_a_task_of_the_same_executor_gets_it_unopened(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        first = call(dfk, double, 2)
        second = call(dfk, double, first)
        assert first.done()
        assert second.done()
        assert isinstance(executor.seen[1][0], KeptValue)
        assert executor.fetches == []


def test_in_containers_too(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor, dependency_resolver=DEEP_DEPENDENCY_RESOLVER) as dfk:
        call(dfk, len, [call(dfk, double, 2)])
        assert isinstance(executor.seen[1][0][0], KeptValue)
        assert executor.fetches == []


def test_the_event_log_does_not_fetch_inputs(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        first = call(dfk, double, 2)
        record = TaskRecord(dfk, double, (), {"inputs": [first]}, executor.label, 0)
        assert extra_of(record)["inputs"] == "[<KeptValue of 'keeping'>]"
        assert executor.fetches == []


def test_a_task_of_another_executor_waits_for_it(tmp_path: Path) -> None:
    executor, other = KeepingExecutor(), PromptExecutor()
    with kernel(tmp_path, executor, other) as dfk:
        first = on(executor, dfk, double, 2)
        second = on(other, dfk, double, first)
        assert not second.done()
        executor.finish_fetches()
        assert second.result(LIMIT_S) == 8
        assert first.result(LIMIT_S) == 4


def test_a_resolver_of_the_user_sees_values(tmp_path: Path) -> None:
    resolver = DependencyResolver(
        lambda value: [value] if isinstance(value, Future) else [],
        lambda value: value.result(0) if isinstance(value, Future) else value,
    )
    executor = KeepingExecutor()
    with kernel(tmp_path, executor, dependency_resolver=resolver) as dfk:
        second = call(dfk, double, call(dfk, double, 2))
        assert not second.done()
        executor.finish_fetches()
        assert executor.seen[1] == (4,)


def test_a_thread_that_waits_fetches_it(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, double, 2)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(future.result(LIMIT_S)))
        thread.start()
        wait_until(lambda: executor.fetches)
        executor.finish_fetches()
        thread.join(LIMIT_S)
        assert results == [4]
        assert future.result() == 4


def test_a_thread_that_waited_before_the_end_fetches_it(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    gate: Future[Any] = Future()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, double, gate)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(future.result(LIMIT_S)))
        thread.start()
        wait_until(lambda: is_waiting(thread))
        gate.set_result(2)
        wait_until(lambda: executor.fetches)
        executor.finish_fetches()
        thread.join(LIMIT_S)
        assert results == [4]


def test_a_timeout_counts_for_the_fetch(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, double, 2)
        with pytest.raises(TimeoutError):
            future.result(0.01)
        assert future.done()
        assert future.exception() is None
        executor.finish_fetches()
        assert future.result() == 4


@pytest.mark.parametrize("is_early", [False, True])
def test_callbacks_run_when_it_is_there(tmp_path: Path, is_early: bool) -> None:
    executor = KeepingExecutor()
    gate: Future[Any] = Future()
    results: list[Any] = []
    with kernel(tmp_path, executor) as dfk:
        future = call(dfk, double, gate)
        if is_early:
            future.add_done_callback(lambda done: results.append(done.result(0)))
            future.add_done_callback(lambda done: results.append(done.result(0)))
        dependent = call(dfk, double, future)
        gate.set_result(2)
        if not is_early:
            future.add_done_callback(lambda done: results.append(done.result(0)))
        assert results == []
        assert dependent.done()  # it does not wait for the callbacks
        executor.finish_fetches()
        assert results == ([4, 4] if is_early else [4])


def test_await_fetches_it(tmp_path: Path) -> None:
    executor = KeepingExecutor()

    async def run(future: Any) -> Any:
        task = asyncio.ensure_future(_awaited(future))
        while not executor.fetches:
            await asyncio.sleep(0)
        executor.finish_fetches()
        return await task

    with kernel(tmp_path, executor) as dfk:
        assert asyncio.run(run(call(dfk, double, 2))) == 4


async def _awaited(future: Any) -> Any:
    return await future


def test_the_memoizer_gets_the_value(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        first = dfk.submit(double, (2,), "all", True, None, {})
        assert not first.done()
        executor.finish_fetches()
        assert first.result(LIMIT_S) == 4
        assert dfk.submit(double, (2,), "all", True, None, {}).result(LIMIT_S) == 4
        assert len(executor.seen) == 1


def test_a_join_app_gets_the_value(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        joined = dfk.submit(lambda: [on(executor, dfk, double, 2)], (), "all", False, None, {}, join=True)
        wait_until(lambda: executor.fetches)
        executor.finish_fetches()
        assert joined.result(LIMIT_S) == [4]


def test_a_retry_handler_sees_values(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor, retry_handler=lambda error, record: 1) as dfk:
        second = call(dfk, double, call(dfk, double, 2))
        assert not second.done()
        executor.finish_fetches()
        assert executor.seen[1] == (4,)


def test_a_part_of_it_is_taken_here(tmp_path: Path) -> None:
    executor = KeepingExecutor()
    with kernel(tmp_path, executor) as dfk:
        part = call(dfk, double, [2])[1]
        executor.finish_fetches()
        assert part.result(LIMIT_S) == 2


def test_a_value_that_cannot_be_fetched_is_an_error(tmp_path: Path) -> None:
    executor, other = KeepingExecutor(), PromptExecutor()
    with kernel(tmp_path, executor, other) as dfk:
        first = on(executor, dfk, double, 2)
        second = on(other, dfk, double, first)
        executor.fetches.pop()[0].set_exception(OSError("lost"))
        assert isinstance(second.exception(LIMIT_S), DependencyError)
        with pytest.raises(OSError, match="lost"):
            first.result(LIMIT_S)
