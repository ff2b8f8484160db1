"""Parallel scripting: Python functions and programs as tasks, from a laptop to a supercomputer.

Importing the package imports nothing else; each name is imported on its first use.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.app.app import bash_app, join_app, python_app
    from parsl.app.bounded_map import bounded_map
    from parsl.config import Config
    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.dataflow.loader import DataFlowKernelLoader
    from parsl.dataflow.progress import progress as progress
    from parsl.dataflow.special_arguments import AUTO_LOGNAME
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.executors.radical.executor import RadicalPilotExecutor
    from parsl.executors.threads import ThreadPoolExecutor
    from parsl.log_utils import set_file_logger, set_stream_logger
    from parsl.monitoring.monitoring import MonitoringHub
    from parsl.vocabulary.files import File

    __version__: str
    load = DataFlowKernelLoader.load
    map = bounded_map
    clear = DataFlowKernelLoader.clear
    dfk = DataFlowKernelLoader.dfk
    wait_for_current_tasks = DataFlowKernelLoader.wait_for_current_tasks

__all__ = [
    "AUTO_LOGNAME", "Config", "DataFlowKernel", "File", "HighThroughputExecutor", "MonitoringHub",
    "RadicalPilotExecutor", "ThreadPoolExecutor", "WorkQueueExecutor", "bash_app", "clear", "dfk", "join_app",
    "load", "python_app", "set_file_logger", "set_stream_logger", "wait_for_current_tasks",
]  # fmt: skip

#: The module of each name. ``map`` and ``progress`` are not in ``__all__``: ``from
#: parsl import *`` must not hide Python's own or a script's.
_HOMES = {
    "AUTO_LOGNAME": "parsl.dataflow.special_arguments",
    "Config": "parsl.config",
    "DataFlowKernel": "parsl.dataflow.dflow",
    "DataFlowKernelLoader": "parsl.dataflow.loader",
    "File": "parsl.vocabulary.files",
    "HighThroughputExecutor": "parsl.executors.high_throughput.executor",
    "MonitoringHub": "parsl.monitoring.monitoring",
    "ThreadPoolExecutor": "parsl.executors.threads",
    "RadicalPilotExecutor": "parsl.executors.radical.executor",
    "WorkQueueExecutor": "parsl.executors.workqueue.executor",
    **dict.fromkeys(("bash_app", "join_app", "python_app"), "parsl.app.app"),
    **dict.fromkeys(("set_file_logger", "set_stream_logger"), "parsl.log_utils"),
}
#: Names that are something else where they are defined, or not in ``__all__``.
_ALIASES = {
    "__version__": ("parsl.version", "VERSION"),
    "map": ("parsl.app.bounded_map", "bounded_map"),
    "progress": ("parsl.dataflow.progress", "progress"),
}
_METHODS_OF_LOADER = ("clear", "dfk", "load", "wait_for_current_tasks")

#: Submodules that are attributes after ``import parsl``, without an import of their own.
_SUBMODULES = frozenset((
    "addresses", "app", "concurrent", "config", "curvezmq", "data_provider", "dataflow", "errors",
    "executors", "jobs", "launchers", "log_utils", "logconfigs", "monitoring", "multiprocessing",
    "process_loggers", "providers", "serialize", "usage_tracking", "utils", "version",
))  # fmt: skip


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _SUBMODULES:
        return import_module(f"parsl.{name}")
    if name in _METHODS_OF_LOADER:
        value: object = getattr(__getattr__("DataFlowKernelLoader"), name)
    elif name in _HOMES or name in _ALIASES:
        module, attribute = _ALIASES[name] if name in _ALIASES else (_HOMES[name], name)
        value = getattr(import_module(module), attribute)
    else:
        raise AttributeError(f"module 'parsl' has no attribute {name!r}; there are: {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ALIASES, *_METHODS_OF_LOADER})
