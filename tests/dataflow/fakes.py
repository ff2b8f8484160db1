"""Executors under the control of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors.base import ParslExecutor
from parsl.vocabulary.lean_future import LeanFuture

if TYPE_CHECKING:
    from collections.abc import Callable


class Held:
    """A task that the executor holds until the test runs it."""

    def __init__(
        self, func: Callable[..., Any], specification: dict[str, Any], args: Any, kwargs: Any
    ) -> None:
        self.func, self.specification, self.args, self.kwargs = func, specification, args, kwargs
        self.future: LeanFuture[Any] = LeanFuture()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.func(*self.args, **self.kwargs)
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class HoldingExecutor(ParslExecutor):
    """Holds its tasks until the test runs them."""

    def __init__(self, label: str = "holding") -> None:
        super().__init__()
        self.label = label
        self.held: list[Held] = []
        self.events: list[str] = []
        self.refusal: Exception | None = None

    def start(self) -> None:
        self.events.append("start")

    def submit(self, func: Any, resource_specification: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        held = Held(func, resource_specification, args, kwargs)
        self.held.append(held)
        return held.future

    def run_all(self) -> int:
        """Run all held tasks and those that become ready; return their number."""
        count = 0
        while self.held:
            self.held.pop(0).run()
            count += 1
        return count

    def shutdown(self) -> None:
        self.events.append("shutdown")


class PromptExecutor(ParslExecutor):
    """Runs a task inside submit."""

    def __init__(self, label: str = "prompt") -> None:
        super().__init__()
        self.label = label
        self.specifications: list[dict[str, Any]] = []
        self.calls = 0

    def submit(self, func: Any, resource_specification: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        self.specifications.append(resource_specification)
        held = Held(func, resource_specification, args, kwargs)
        held.run()
        return held.future

    def shutdown(self) -> None:
        pass


def kernel(tmp_path: Any, *executors: ParslExecutor, **options: Any) -> DataFlowKernel:
    """A kernel without logs; to be used in a `with` block."""
    options.setdefault("initialize_logging", False)
    return DataFlowKernel(Config(executors=executors, run_dir=str(tmp_path / "runs"), **options))


def call(kernel: DataFlowKernel, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function as an app."""
    return kernel.submit(func, args, "all", False, None, kwargs)


def call_join(kernel: DataFlowKernel, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function as a join app."""
    return kernel.submit(func, args, "all", False, None, kwargs, join=True)


def add(*numbers: Any) -> Any:
    return sum(numbers)


def fail(*_: Any) -> Any:
    raise ValueError("failed")
