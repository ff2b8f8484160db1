"""The executor that runs tasks in a Ray cluster. Ray itself is imported only when the executor starts."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.ray.executor import RayExecutor

__all__ = ["RayExecutor"]

__getattr__, __dir__ = lazy_names(__name__, {"RayExecutor": "parsl.executors.ray.executor"})
