"""Copies of apps: other packages copy whole lists of them, and change their options."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from parsl import Config, ThreadPoolExecutor, bash_app, join_app, python_app
from parsl.dataflow.dflow import DataFlowKernel


@python_app
def square(x: int) -> int:
    return x * x


@bash_app
def succeed(code: int = 0) -> str:
    return f"exit {code}"


@join_app
def squared(x: int) -> Any:
    future: Future[int] = Future()
    future.set_result(x * x)
    return future


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[DataFlowKernel]:
    config = Config(executors=[ThreadPoolExecutor()], run_dir=str(tmp_path), initialize_logging=False)
    with DataFlowKernel(config) as kernel:
        yield kernel


class Counter:
    """A function with state."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, x: int) -> int:
        self.calls.append(x)
        return x


def in_a_list(app: Any) -> Any:
    first, second = copy.deepcopy([app, app])
    assert first is second
    return first


def by_value(app: Any) -> Any:
    return pickle.loads(cloudpickle.dumps(copy.copy(app)))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, in_a_list, by_value])
@pytest.mark.parametrize(("app", "argument", "result"), [(square, 3, 9), (succeed, 0, 0), (squared, 3, 9)])
def test_a_copy_of_an_app_works(
    kernel: DataFlowKernel, duplicate: Callable[[Any], Any], app: Any, argument: int, result: int
) -> None:
    again = duplicate(app)
    assert again is not app
    assert type(again) is type(app)
    assert again.__name__ == app.__name__
    again.data_flow_kernel = kernel
    assert again(argument).result(30) == result


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_has_its_own_options(duplicate: Callable[[Any], Any]) -> None:
    app = python_app(square.func, executors=["a"])
    again = duplicate(app)
    again.executors = ["b"]
    again.cache = True
    assert (app.executors, app.cache) == (["a"], False)


def test_a_deep_copy_has_a_function_of_its_own_but_the_same_kernel_and_limit(kernel: DataFlowKernel) -> None:
    counter = Counter()
    app: Any = python_app(counter, data_flow_kernel=kernel, max_concurrency=2)
    again = copy.deepcopy(app)
    again(5).result(30)
    assert (counter.calls, again.func.calls) == ([], [5])
    assert again.data_flow_kernel is kernel
    assert again.limit is app.limit
