"""An executor for work so small that handing it over would cost more than doing it."""

from __future__ import annotations

from parsl.executors.base import ParslExecutor
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class InProcessExecutor(ParslExecutor):
    """Runs a task at once, in the thread that submits it. For parts of results: ``future[key]``."""

    label = "_parsl_in_process"

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> LeanFuture[Any]:
        """Run the task; the future is done when this returns."""
        future: LeanFuture[Any] = LeanFuture()
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    def shutdown(self) -> None:
        """Nothing to do."""
