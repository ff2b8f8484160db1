"""Python apps, from the call to the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parsl import join_app, python_app
from parsl.executors.errors import InvalidResourceSpecification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from parsl.dataflow.dflow import DataFlowKernel


def test_results_and_exceptions_reach_the_caller(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def inverse(x: float) -> float:
        return 1 / x

    assert inverse(4).result() == 0.25
    with pytest.raises(ZeroDivisionError):
        inverse(0).result()


def test_futures_are_arguments_everywhere(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def add(a: Any, b: Any = 0, inputs: Sequence[Any] = ()) -> Any:
        return a + b + sum(inputs)

    assert add(add(1, 2), b=add(3, 4), inputs=[add(5), 6]).result() == 21


def test_the_function_gets_the_special_arguments_it_declares(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def show(x: int, inputs: Any = (), label: Any = "a", walltime: Any = 60) -> Any:
        return x, list(inputs), label, walltime

    @python_app(data_flow_kernel=kernel)
    def show_all(**kwargs: Any) -> Any:
        return kwargs

    @python_app(data_flow_kernel=kernel)
    def show_none(x: int) -> Any:
        return x

    assert show(1).result() == (1, [], "a", 60)
    assert show(1, [2], walltime=50).result() == (1, [2], "a", 50)
    assert show_all(label="b", walltime=40).result() == {"label": "b", "walltime": 40}
    assert show_none(1, label="b", walltime=40).result() == 1  # type: ignore[call-overload]


def test_arguments_may_have_the_names_of_parsls_parameters(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def show(self: int, func: int, resource_specification: int, args: int, kwargs: int) -> Any:
        return self, func, resource_specification, args, kwargs

    call: Any = show
    assert call(self=1, func=2, resource_specification=3, args=4, kwargs=5).result() == (1, 2, 3, 4, 5)


def test_lambdas_and_builtins_are_functions_too(kernel: DataFlowKernel) -> None:
    assert python_app(lambda x: x + 1, data_flow_kernel=kernel)(1).result() == 2
    assert python_app(len, data_flow_kernel=kernel)([1, 2]).result() == 2


def test_an_unknown_resource_specification_is_an_error(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def task(parsl_resource_specification: Any = None) -> None: ...

    with pytest.raises(InvalidResourceSpecification, match="colour"):
        task(parsl_resource_specification={"colour": "red"}).result()


def test_join_apps_return_the_results_of_their_futures(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def double(x: int) -> int:
        return 2 * x

    @join_app(data_flow_kernel=kernel)
    def one(x: int) -> Future[int]:
        return double(x)

    def several(xs: list[int]) -> list[Future[int]]:
        return [double(x) for x in xs]

    many = join_app(several, data_flow_kernel=kernel)
    assert one(2).result() == 4
    assert many([1, 2]).result() == [2, 4]
    assert many([]).result() == []


def test_join_apps_refuse_results_that_are_not_futures(kernel: DataFlowKernel) -> None:
    def wrong() -> Any:
        return 5

    app: Any = join_app(wrong, data_flow_kernel=kernel)
    with pytest.raises(TypeError, match="5"):
        app().result()
