from __future__ import annotations

import concurrent.futures
import itertools
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl.concurrent import ParslPoolExecutor
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.errors import ConfigurationError, NoDataFlowKernelError
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider
from tests.dataflow.fakes import HoldingExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def add(a: int, b: int = 0) -> int:
    return a + b


def is_nothing_loaded() -> bool:
    try:
        parsl.dfk()
    except NoDataFlowKernelError:
        return True
    return False


def fail(message: str) -> None:
    raise ValueError(message)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(executors=[ThreadPoolExecutor(label="a", max_threads=4)], run_dir=str(tmp_path / "runs"))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[DataFlowKernel, HoldingExecutor]]:
    executor = HoldingExecutor()
    with DataFlowKernel(Config(executors=[executor], run_dir=str(tmp_path / "held"))) as kernel:
        yield kernel, executor


class TestLife:
    def test_a_pool_loads_its_configuration_and_ends_the_run(self, config: Config) -> None:
        with ParslPoolExecutor(config) as pool:
            assert isinstance(pool, concurrent.futures.Executor)
            assert pool.submit(add, 1, b=2).result() == 3
            assert parsl.python_app(add)(2).result() == 2
            kernel = parsl.dfk()
        assert kernel.cleanup_called
        with pytest.raises(NoDataFlowKernelError):
            parsl.dfk()
        pool.shutdown()
        for call in (lambda: pool.submit(add, 1), lambda: pool.map(add, [1])):
            with pytest.raises(RuntimeError, match="after shutdown"):
                call()

    def test_a_pool_does_not_end_a_given_kernel(self, held: Any) -> None:
        kernel, executor = held
        pool = ParslPoolExecutor(dfk=kernel)
        future = pool.submit(add, 1)
        pool.shutdown(wait=False)
        assert not future.done()
        executor.run_all()
        pool.shutdown()
        assert not kernel.cleanup_called
        assert future.result() == 1

    def test_one_of_config_and_dfk(self, config: Config, held: Any) -> None:
        with pytest.raises(ValueError, match="Must specify one of config or dfk"):
            ParslPoolExecutor()
        with pytest.raises(ValueError, match="Specify only one of config or dfk"):
            ParslPoolExecutor(config, held[0])
        with parsl.load(config), pytest.raises(ConfigurationError, match="already been loaded"):
            ParslPoolExecutor(config)

    def test_without_waiting_the_run_ends_after_the_last_task(self, config: Config, wait_until: Any) -> None:
        pool, release = ParslPoolExecutor(config), threading.Event()
        kernel = parsl.dfk()
        future = pool.submit(release.wait, 60)
        pool.shutdown(wait=False)
        assert not kernel.cleanup_called
        release.set()
        assert future.result() is True
        wait_until(lambda: kernel.cleanup_called)
        wait_until(is_nothing_loaded)

    def test_cancel_futures(self, held: Any) -> None:
        kernel, executor = held
        pool = ParslPoolExecutor(dfk=kernel)
        futures = [pool.submit(add, i) for i in range(3)]
        executor.held[0].run()
        pool.shutdown(cancel_futures=True)
        assert [future.cancelled() for future in futures] == [False, True, True]

    def test_a_future_can_be_cancelled(self, held: Any) -> None:
        pool = ParslPoolExecutor(dfk=held[0])
        future = pool.submit(add, 1)
        assert repr(pool) == "<ParslPoolExecutor open, 1 unfinished, 1 apps>"
        assert future.cancel()
        assert concurrent.futures.wait([future]).done == {future}
        assert repr(pool) == "<ParslPoolExecutor open, 0 unfinished, 1 apps>"


class TestApps:
    def test_one_for_each_function(self, config: Config) -> None:
        with ParslPoolExecutor(config, executors=["a"]) as pool:
            assert pool.get_app(add) is pool.get_app(add)
            assert pool.get_app(add).executors == ["a"]
            assert pool.app_count == 1
            pool.submit(fail, "x").exception()
            assert pool.app_count == 2
            app = parsl.python_app(add)
            assert pool.get_app(app) is app
            assert pool.submit(app, 7).result() == 7

    def test_unhashable_and_nameless_functions_are_accepted(self, config: Config) -> None:
        class Callable(list[int]):
            def __call__(self) -> int:
                return len(self)

        with ParslPoolExecutor(config) as pool:
            assert pool.submit(Callable([1, 2])).result() == 2
            assert pool.submit(partial(add, 1), 2).result() == 3
            assert pool.submit(abs, -1).result() == 1

    def test_futures_are_dependencies_both_ways(self, config: Config) -> None:
        with ParslPoolExecutor(config) as pool:
            app = parsl.python_app(add)
            assert app(pool.submit(add, app(1), 2), 3).result() == 6
            assert list(pool.map(add, [app(1), app(2), app(3)], [1, 1, 1], chunksize=2)) == [2, 3, 4]


class TestMap:
    @pytest.mark.parametrize(
        "options", [{}, {"chunksize": 3}, {"buffersize": 2}, {"chunksize": 3, "buffersize": 1}]
    )
    def test_results_in_order(self, config: Config, options: dict[str, int]) -> None:
        with ParslPoolExecutor(config) as pool:
            assert list(pool.map(add, range(10), range(10, 100), **options)) == list(range(10, 30, 2))
            assert list(pool.map(add, [], **options)) == []

    @pytest.mark.parametrize(("chunksize", "tasks"), [(1, 10), (4, 3), (100, 1)])
    def test_chunks_are_tasks(self, held: Any, chunksize: int, tasks: int) -> None:
        kernel, executor = held
        results = ParslPoolExecutor(dfk=kernel).map(add, range(10), chunksize=chunksize)
        assert executor.run_all() == kernel.task_count == tasks
        assert list(results) == list(range(10))

    def test_a_buffer_takes_no_more_items_than_it_needs(self, held: Any) -> None:
        kernel, executor = held
        items = itertools.count()
        results = ParslPoolExecutor(dfk=kernel).map(add, items, buffersize=3)
        assert kernel.task_count == 3
        executor.run_all()
        assert [next(results), next(results)] == [0, 1]
        assert kernel.task_count == 5
        results.close()  # type: ignore[attr-defined]
        assert all(executor_task.future.cancelled() for executor_task in executor.held)
        assert next(items) == 5

    @pytest.mark.parametrize("chunksize", [1, 2])
    def test_an_exception_ends_the_iteration_and_cancels_the_rest(self, held: Any, chunksize: int) -> None:
        kernel, executor = held
        results = ParslPoolExecutor(dfk=kernel).map(fail, "abcdef", chunksize=chunksize)
        executor.held.pop(0).run()
        with pytest.raises(ValueError, match="a"):
            next(results)
        assert all(executor_task.future.cancelled() for executor_task in executor.held)
        assert list(results) == []

    def test_a_timeout(self, held: Any) -> None:
        kernel, executor = held
        results = ParslPoolExecutor(dfk=kernel).map(add, [1, 2], timeout=0.01)
        with pytest.raises(concurrent.futures.TimeoutError):
            next(results)
        assert all(executor_task.future.cancelled() for executor_task in executor.held)

    @pytest.mark.parametrize("wrong", [{"chunksize": 0}, {"buffersize": 0}, {"buffersize": -1}])
    def test_wrong_sizes_are_refused_at_the_call(self, held: Any, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=f"map: {next(iter(wrong))} is"):
            ParslPoolExecutor(dfk=held[0]).map(add, [1], **wrong)


def test_on_workers(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=2, cores_per_worker=0.1, provider=LocalProvider())
    with ParslPoolExecutor(Config(executors=[executor], run_dir=str(tmp_path))) as pool:
        assert list(pool.map(lambda x: x * x, range(100), chunksize=7)) == [x * x for x in range(100)]
        assert pool.submit(add, 1).result() == 1
