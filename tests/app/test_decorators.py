"""The apps that decorators create, and the arguments that they refuse."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import bash_app, join_app, python_app
from parsl.app.app import AppBase
from parsl.app.bash import BashApp
from parsl.app.python import PythonApp
from parsl.errors import NoDataFlowKernelError
from parsl.validate import ParameterError

if TYPE_CHECKING:
    from parsl.config import Config
    from parsl.dataflow.dflow import DataFlowKernel


def double(x: int) -> int:
    """Twice x."""
    return 2 * x


@pytest.mark.parametrize(
    ("decorator", "kind"), [(python_app, PythonApp), (bash_app, BashApp), (join_app, PythonApp)]
)
def test_decorators_work_with_and_without_parentheses(decorator: Any, kind: type) -> None:
    for app in (decorator(double), decorator()(double), decorator(function=double)):
        assert type(app) is kind
        assert isinstance(app, AppBase)


def test_an_app_looks_like_its_function() -> None:
    app = python_app(double)
    assert (app.__name__, app.__doc__, app.__module__) == ("double", "Twice x.", __name__)
    assert inspect.signature(app) == inspect.signature(double)
    assert app.func is double
    assert repr(app) == f"<PythonApp {__name__}.double>"


@pytest.mark.parametrize(
    ("decorator", "name", "advice"),
    [
        (python_app, "executor", "Did you mean executors?"),
        (bash_app, "max_concurency", "Did you mean max_concurrency?"),
        (join_app, "ignore_cache", "Did you mean ignore_for_cache?"),
    ],
)
def test_a_mistyped_option_is_refused_with_a_suggestion(decorator: Any, name: str, advice: str) -> None:
    with pytest.raises(TypeError) as refused:
        decorator(**{name: ["x"]})
    assert str(refused.value) == f"{decorator.__name__}: unexpected keyword argument {name!r}. {advice}"
    assert isinstance(refused.value, ParameterError)


def test_options_are_kept() -> None:
    app = bash_app(cache=True, executors=["a", "b"], ignore_for_cache=["x"])(double)  # type: ignore[arg-type]
    assert (app.cache, app.executors, app.ignore_for_cache) == (True, ["a", "b"], ["x"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executors": "tasks"}, ["executors", '"all"', "['tasks']"]),
        ({"executors": []}, ["executors", "non-empty"]),
        ({"executors": 5}, ["executors", "5 (int)"]),
        ({"executors": ["a", 1]}, ["executors[1]"]),
        ({"cache": "yes"}, ["cache", "'yes'"]),
        ({"ignore_for_cache": "x"}, ["ignore_for_cache", "list of str"]),
        ({"ignore_for_cache": ["X"]}, ["double: ignore_for_cache has 'X'", "no parameter", "mean x?"]),
        ({"data_flow_kernel": 3}, ["data_flow_kernel", "3"]),
        ({"function": 3}, ["function", "callable"]),
        ({"function": classmethod(double)}, ["function", "@classmethod above"]),
        ({"function": python_app(double)}, ["function", "not an app yet"]),
    ],
)
def test_wrong_options_are_refused_at_decoration(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        python_app(**{"function": double, **options})
    for word in ["PythonApp", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x, **options: x, ["x", "seed"]),
        (lambda x: x, ["stdout", "walltime"]),
        (lambda x, /, *rest, y=1: x, ["x", "rest", "y"]),
        (min, ["anything"]),
    ],
)
def test_any_argument_that_a_call_may_have_can_be_ignored(function: Any, names: list[str]) -> None:
    assert python_app(function, cache=True, ignore_for_cache=names).ignore_for_cache == names


def test_unknown_options_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="executors"):
        join_app(executors=["a"])  # type: ignore[call-overload]


def test_calling_before_load_is_an_error_that_explains_load() -> None:
    with pytest.raises(NoDataFlowKernelError, match=r"parsl\.load"):
        python_app(double)(1)


def test_calling_inside_a_worker_is_an_error_with_advice() -> None:
    script = "from parsl import python_app; python_app(len)([])"
    environment = {**os.environ, "PARSL_WORKER_RANK": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert re.search(r"NoDataFlowKernelError.*inside a worker.*join_app", ended.stderr)


def test_calling_after_cleanup_is_an_error_that_names_it(threads_config: Config) -> None:
    with parsl.load(threads_config):
        assert python_app(double)(1).result() == 2
    with pytest.raises(NoDataFlowKernelError):
        python_app(double)(1)


def test_the_loaded_kernel_is_used_and_can_be_another_one_later(threads_config: Config) -> None:
    app = python_app(double)
    with parsl.load(threads_config):
        assert app(1).result() == 2
    with parsl.load():
        assert app(2).result() == 4


def test_an_app_runs_on_its_own_kernel(kernel: DataFlowKernel) -> None:
    assert python_app(double, data_flow_kernel=kernel)(4).result() == 8


def test_an_unknown_executor_is_refused_at_the_call(kernel: DataFlowKernel) -> None:
    with pytest.raises(ValueError, match=r"nowhere.*tasks|tasks.*nowhere"):
        python_app(double, data_flow_kernel=kernel, executors=["nowhere"])(1)


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "missing a required argument: 'x'"),
        ((1, 2), {}, "too many positional arguments"),
        ((1,), {"x": 2}, "multiple values for argument 'x'"),
        ((1,), {"y": 2}, "unexpected keyword argument 'y'"),
    ],
)
def test_a_wrong_call_is_refused_at_once(args: Any, kwargs: Any, reason: str, kernel: DataFlowKernel) -> None:
    with pytest.raises(TypeError, match=reason):
        python_app(double, data_flow_kernel=kernel)(*args, **kwargs)


@pytest.mark.parametrize("walltime", [0, -1, "1", True])
def test_a_wrong_walltime_is_refused_at_once(walltime: Any, kernel: DataFlowKernel) -> None:
    with pytest.raises(ParameterError, match="walltime"):
        python_app(double, data_flow_kernel=kernel)(1, walltime=walltime)  # type: ignore[call-overload]
