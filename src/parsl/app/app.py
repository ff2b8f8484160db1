"""The decorators that make apps of functions, and the public path of the base class of apps."""

# ruff: noqa: D103, F811 - it does not take the local stand-in for typing.overload as one

from __future__ import annotations

from functools import partial

from parsl.app.base import AppBase
from parsl.common import pass_on_upstream_names
from parsl.common.parameter_names import refuses_unknown_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, overload

    from parsl.app.base import Labels, P, R
    from parsl.app.bash import BashApp
    from parsl.app.python import PythonApp
    from parsl.dataflow.dflow import DataFlowKernel
else:

    def overload(function):  # the real one would cost an import of typing
        return function


__all__ = ["AppBase", "bash_app", "join_app", "python_app"]


@overload
def python_app(
    function: Callable[P, R],
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False, executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None, *, max_concurrency: int | None = None,
) -> PythonApp[P, R]: ...  # fmt: skip
@overload
def python_app(
    function: None = None,
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False, executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None, *, max_concurrency: int | None = None,
) -> Callable[[Callable[P, R]], PythonApp[P, R]]: ...  # fmt: skip
@refuses_unknown_names
def python_app(
    function: Callable[..., Any] | None = None,
    data_flow_kernel: DataFlowKernel | None = None,
    cache: bool = False,
    executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None,
    *,
    max_concurrency: int | None = None,
) -> Any:
    """Make an app of a Python function. A call returns a future of the function's result.

    The decorator works with or without parentheses.

    Args:
        function: The function; None for a decorator with parentheses.
        data_flow_kernel: The kernel that runs the tasks; None for the loaded one.
        cache: Whether a call with the same arguments as an earlier one gets its result.
        executors: The labels of the executors to choose from, or ``"all"``.
        ignore_for_cache: The arguments that do not count for the cache.
        max_concurrency: The number of calls that executors have at a time; None for no limit. Others wait.

    Returns:
        The app; or, with parentheses, a decorator that makes it.

    Raises:
        ParameterError: A parameter is wrong.
    """
    from parsl.app.python import PythonApp

    make = partial(
        PythonApp, data_flow_kernel=data_flow_kernel, cache=cache, executors=executors,
        ignore_for_cache=ignore_for_cache, max_concurrency=max_concurrency,
    )  # fmt: skip
    return make if function is None else make(function)


@overload
def bash_app(
    function: Callable[P, str],
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False, executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None, *, max_concurrency: int | None = None,
) -> BashApp[P]: ...  # fmt: skip
@overload
def bash_app(
    function: None = None,
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False, executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None, *, max_concurrency: int | None = None,
) -> Callable[[Callable[P, str]], BashApp[P]]: ...  # fmt: skip
@refuses_unknown_names
def bash_app(
    function: Callable[..., Any] | None = None,
    data_flow_kernel: DataFlowKernel | None = None,
    cache: bool = False,
    executors: Labels = "all",
    ignore_for_cache: Sequence[str] | None = None,
    *,
    max_concurrency: int | None = None,
) -> Any:
    """Make an app of a function that returns a command line. A call runs the command line by ``/bin/bash``.

    The future's result is 0. If the command line ends with another exit code, the task fails with
    BashExitFailure.

    Args:
        function: The function; None for a decorator with parentheses.
        data_flow_kernel: The kernel that runs the tasks; None for the loaded one.
        cache: Whether a call with the same arguments as an earlier one gets its result.
        executors: The labels of the executors to choose from, or ``"all"``.
        ignore_for_cache: The arguments that do not count for the cache.
        max_concurrency: The number of calls that executors have at a time; None for no limit. Others wait.

    Returns:
        The app; or, with parentheses, a decorator that makes it.

    Raises:
        ParameterError: A parameter is wrong.
    """
    from parsl.app.bash import BashApp

    make = partial(
        BashApp, data_flow_kernel=data_flow_kernel, cache=cache, executors=executors,
        ignore_for_cache=ignore_for_cache, max_concurrency=max_concurrency,
    )  # fmt: skip
    return make if function is None else make(function)


@overload
def join_app(
    function: Callable[P, Future[R]],
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False,
    ignore_for_cache: Sequence[str] | None = None,
) -> PythonApp[P, R]: ...  # fmt: skip
@overload
def join_app(
    function: Callable[P, Sequence[Future[R]]],
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False,
    ignore_for_cache: Sequence[str] | None = None,
) -> PythonApp[P, list[R]]: ...  # fmt: skip
@overload
def join_app(
    function: None = None,
    data_flow_kernel: DataFlowKernel | None = None, cache: bool = False,
    ignore_for_cache: Sequence[str] | None = None,
) -> Callable[[Callable[P, Future[R]]], PythonApp[P, R]]: ...  # fmt: skip
@refuses_unknown_names
def join_app(
    function: Callable[..., Any] | None = None,
    data_flow_kernel: DataFlowKernel | None = None,
    cache: bool = False,
    ignore_for_cache: Sequence[str] | None = None,
) -> Any:
    """Make an app of a function that starts other tasks and returns a future, or a list of futures.

    The function runs in the driver. The result of the app's future is that of the returned future, or the
    list of the results.

    Args:
        function: The function; None for a decorator with parentheses.
        data_flow_kernel: The kernel that runs the tasks; None for the loaded one.
        cache: Whether a call with the same arguments as an earlier one gets its result.
        ignore_for_cache: The arguments that do not count for the cache.

    Returns:
        The app; or, with parentheses, a decorator that makes it.

    Raises:
        ParameterError: A parameter is wrong.
    """
    from parsl.app.python import PythonApp

    make = partial(
        PythonApp, data_flow_kernel=data_flow_kernel, cache=cache, executors=["_parsl_internal"],
        ignore_for_cache=ignore_for_cache, join=True,
    )  # fmt: skip
    return make if function is None else make(function)


pass_on_upstream_names(__name__)
