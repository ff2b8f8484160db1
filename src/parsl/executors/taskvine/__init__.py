"""The executor that runs tasks with TaskVine."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.taskvine.executor import TaskVineExecutor
    from parsl.executors.taskvine.factory_config import TaskVineFactoryConfig
    from parsl.executors.taskvine.manager_config import TaskVineManagerConfig

__all__ = ["TaskVineExecutor", "TaskVineFactoryConfig", "TaskVineManagerConfig"]

_MODULES = {
    "TaskVineExecutor": "parsl.executors.taskvine.executor",
    "TaskVineFactoryConfig": "parsl.executors.taskvine.factory_config",
    "TaskVineManagerConfig": "parsl.executors.taskvine.manager_config",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
