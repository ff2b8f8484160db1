"""Apps whose tasks are Python functions."""

from __future__ import annotations

from parsl import validate
from parsl.app.base import AppBase
from parsl.common import pass_on_upstream_names
from parsl.executors.local.interrupt import limit_walltime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ParamSpec, TypeVar

    from parsl.app.base import Labels
    from parsl.dataflow.dflow import DataFlowKernel

    P = ParamSpec("P")
    R = TypeVar("R")


class PythonApp(AppBase["P", "R"]):
    """An app whose future has the function's result; see :class:`~parsl.app.app.AppBase`."""

    def __init__(
        self,
        func: Callable[P, Any],
        data_flow_kernel: DataFlowKernel | None = None,
        cache: bool = False,
        executors: Labels = "all",
        ignore_for_cache: Sequence[str] | None = None,
        join: bool = False,
        *,
        max_concurrency: int | None = None,
    ) -> None:
        super().__init__(
            func, data_flow_kernel, executors, cache, ignore_for_cache, max_concurrency=max_concurrency
        )
        self._joins = validate.boolean(self, "join", join)

    def _make_task_function(self) -> Callable[..., Any]:
        return self.func


def timeout(f: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """Limit the time of a function's calls, in a process without other supervision.

    Args:
        f: The function.
        seconds: The time limit of a call.

    Returns:
        A function that raises AppTimeout when the time is over. Python code is interrupted between two of its
        instructions; a call into C code only when it returns.
    """
    return limit_walltime(f, validate.number("timeout", "seconds", seconds, above=0, finite=False))


pass_on_upstream_names(__name__)
