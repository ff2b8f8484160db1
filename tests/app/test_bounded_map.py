from __future__ import annotations

import gc
import itertools
import resource
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import ThreadPoolExecutor
from parsl.validate import ParameterError
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def executor() -> HoldingExecutor:
    return HoldingExecutor()


@pytest.fixture
def app(tmp_path: Path, executor: HoldingExecutor) -> Iterator[Any]:
    with DataFlowKernel(Config(executors=[executor], run_dir=str(tmp_path))) as kernel:
        yield parsl.python_app(add, data_flow_kernel=kernel)


def refuse(item: Any) -> Any:
    raise ValueError(f"refused {item}")


class TestOrder:
    @pytest.mark.parametrize(("ordered", "results"), [(True, [10, 11, 12, 13]), (False, [12, 11, 10, 13])])
    def test_results_are_in_the_order_of_the_items_or_of_completion(
        self, app: Any, executor: HoldingExecutor, ordered: bool, results: list[int]
    ) -> None:
        def items() -> Iterator[int]:
            yield from range(3)
            for task in reversed(executor.held):
                task.run()
            yield 3
            executor.held[3].run()

        assert list(parsl.map(app, items(), [10, 10, 10, 10, 10], ordered=ordered)) == results

    @pytest.mark.parametrize("ordered", [True, False])
    def test_nothing(self, app: Any, ordered: bool) -> None:
        assert list(parsl.map(app, [], ordered=ordered)) == []


class TestWindow:
    @pytest.mark.parametrize("ordered", [True, False])
    def test_no_more_than_the_limit_are_submitted(self, tmp_path: Path, ordered: bool) -> None:
        with DataFlowKernel(Config(executors=[PromptExecutor()], run_dir=str(tmp_path))) as kernel:
            app = parsl.python_app(add, data_flow_kernel=kernel)
            items = itertools.count()
            results = parsl.map(app, items, window=5, ordered=ordered)
            assert kernel.task_count == 0
            assert [next(results) for _ in range(10)] == list(range(10))
            assert kernel.task_count <= 10 + 5
            results.close()
            assert next(items) <= 15

    @pytest.mark.parametrize("ordered", [True, False])
    def test_tasks_in_progress_are_cancelled_when_the_iterator_is_discarded(
        self, app: Any, executor: HoldingExecutor, ordered: bool
    ) -> None:
        def items() -> Iterator[int]:
            yield from range(3)
            executor.held[0].run()
            yield from range(3, 100)

        results = parsl.map(app, items(), window=5, ordered=ordered)
        assert next(results) == 0
        del results
        gc.collect()
        assert len(executor.held) == 4
        assert all(task.future.cancelled() for task in executor.held[1:])

    @pytest.mark.parametrize("ordered", [True, False])
    def test_memory_does_not_grow(self, tmp_path: Path, ordered: bool) -> None:
        with DataFlowKernel(
            Config(
                executors=[ThreadPoolExecutor(max_threads=2)], run_dir=str(tmp_path), initialize_logging=False
            )
        ) as kernel:
            app = parsl.python_app(int, data_flow_kernel=kernel)
            warm_up, rest = 20_000, 180_000
            results = parsl.map(app, range(warm_up + rest), window=1000, ordered=ordered)
            assert sum(itertools.islice(results, warm_up)) > 0
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert sum(1 for _ in results) == rest
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            assert kernel.task_count == warm_up + rest
        assert grown < 10 * MIB


class TestFailures:
    @pytest.mark.parametrize("ordered", [True, False])
    def test_the_first_failure_is_raised_and_ends_the_iteration(self, tmp_path: Path, ordered: bool) -> None:
        with DataFlowKernel(Config(executors=[PromptExecutor()], run_dir=str(tmp_path))) as kernel:
            app = parsl.python_app(refuse, data_flow_kernel=kernel)
            results = parsl.map(app, itertools.count(), window=3, ordered=ordered)
            with pytest.raises(ValueError, match="refused 0"):
                next(results)
            assert list(results) == []
            assert kernel.task_count <= 3

    @pytest.mark.parametrize("ordered", [True, False])
    def test_failures_can_be_among_the_results(self, tmp_path: Path, ordered: bool) -> None:
        with DataFlowKernel(Config(executors=[PromptExecutor()], run_dir=str(tmp_path))) as kernel:
            app = parsl.python_app(lambda x: 10 // x, data_flow_kernel=kernel)
            results = list(parsl.map(app, [1, 0, 5], ordered=ordered, return_exceptions=True))
            assert isinstance(results.pop(1), ZeroDivisionError)
            assert results == [10, 2]

    def test_cancellations_can_be_among_the_results(self, app: Any, executor: HoldingExecutor) -> None:
        def items() -> Iterator[int]:
            yield 1
            executor.held[0].future.cancel()

        (error,) = parsl.map(app, items(), return_exceptions=True)
        assert isinstance(error, CancelledError)

    def test_a_failing_iterable_ends_the_iteration(self, app: Any, executor: HoldingExecutor) -> None:
        def items() -> Iterator[int]:
            yield 1
            raise KeyError("no more")

        results = parsl.map(app, items())
        with pytest.raises(KeyError, match="no more"):
            next(results)
        assert executor.held[0].future.cancelled()

    @pytest.mark.parametrize(
        ("args", "options", "message"),
        [
            ((3, []), {}, "map: app is 3"),
            ((add, 3), {}, "map: iterable 0 is 3"),
            ((add, [], 4), {}, "map: iterable 1 is 4"),
            ((add, []), {"window": 0}, "map: window is 0"),
            ((add, []), {"ordered": "no"}, "map: ordered is 'no'"),
        ],
    )
    def test_wrong_arguments_are_refused_at_the_call(self, args: Any, options: Any, message: str) -> None:
        with pytest.raises(ParameterError, match=message):
            parsl.map(*args, **options)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_function_that_is_not_an_app_is_refused_at_the_first_call(ordered: bool) -> None:
    with pytest.raises(ParameterError, match=r"has returned 1 \(int\) instead of a future.*@python_app"):
        list(parsl.map(abs, [-1], ordered=ordered))  # type: ignore[arg-type]


def test_constant_arguments_are_passed_on(tmp_path: Path) -> None:
    with DataFlowKernel(Config(executors=[PromptExecutor()], run_dir=str(tmp_path))) as kernel:
        app = parsl.python_app(pow, data_flow_kernel=kernel)
        assert list(parsl.map(partial(app, mod=5), [2, 3], [3, 3])) == [3, 2]


def test_the_builtin_map_is_not_hidden() -> None:
    assert "map" not in parsl.__all__
    assert "map" in dir(parsl)
