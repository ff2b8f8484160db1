"""Apps in classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsl import python_app

if TYPE_CHECKING:
    from parsl.dataflow.dflow import DataFlowKernel


def twice(x: int) -> int:
    return 2 * x


def make_class(kernel: DataFlowKernel) -> Any:
    app = python_app(data_flow_kernel=kernel)

    class Sample:
        def __init__(self, size: int) -> None:
            self.size = size

        @app
        def grown(self, by: int) -> int:
            return self.size + by

        @app
        @staticmethod
        def inner_static(x: int) -> int:
            return x

        @staticmethod
        @app
        def outer_static(x: int) -> int:
            return x

        @classmethod
        @app
        def named(cls, suffix: str) -> str:
            return cls.__name__ + suffix

        helper = app(twice)

    return Sample


def test_a_method_gets_its_object(kernel: DataFlowKernel) -> None:
    sample = make_class(kernel)(3)
    assert sample.grown(4).result() == 7
    assert sample.grown(by=4).result() == 7


def test_the_object_can_also_be_passed(kernel: DataFlowKernel) -> None:
    sample = make_class(kernel)(3)
    assert type(sample).grown(sample, 4).result() == 7
    assert sample.grown(sample, 4).result() == 7


def test_static_and_class_methods(kernel: DataFlowKernel) -> None:
    kind = make_class(kernel)
    for owner in (kind, kind(1)):
        assert owner.inner_static(5).result() == 5
        assert owner.outer_static(5).result() == 5
        assert owner.named("!").result() == "Sample!"


def test_an_external_app_stored_in_a_class_is_not_a_method(kernel: DataFlowKernel) -> None:
    assert make_class(kernel)(1).helper(5).result() == 10


def test_a_bound_method_has_its_name() -> None:
    class Sample:
        @python_app
        def grown(self) -> None:
            """Grow."""

    bound = Sample().grown
    assert bound.__name__ == "grown"  # type: ignore[attr-defined]
    assert bound.__doc__ == "Grow."
