"""Apps whose tasks are command lines."""

from __future__ import annotations

from parsl.app.base import AppBase
from parsl.app.bash_task import BashTask, remote_side_bash_executor
from parsl.common import pass_on_upstream_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from parsl.app.base import Labels, P
    from parsl.dataflow.dflow import DataFlowKernel

__all__ = ["BashApp", "remote_side_bash_executor"]


class BashApp(AppBase["P", int]):
    """An app whose function returns a command line; see :class:`~parsl.app.app.AppBase`."""

    def __init__(
        self,
        func: Callable[P, Any],
        data_flow_kernel: DataFlowKernel | None = None,
        cache: bool = False,
        executors: Labels = "all",
        ignore_for_cache: Sequence[str] | None = None,
        *,
        max_concurrency: int | None = None,
    ) -> None:
        super().__init__(
            func, data_flow_kernel, executors, cache, ignore_for_cache, max_concurrency=max_concurrency
        )

    def _make_task_function(self) -> Callable[..., Any]:
        return BashTask(self.func)


pass_on_upstream_names(__name__)
