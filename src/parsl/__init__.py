"""Parallel scripting: Python functions and programs as tasks, from a laptop to a supercomputer.

Importing the package imports nothing else; a name is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.app.app import bash_app, join_app, python_app
    from parsl.app.bounded_map import bounded_map
    from parsl.config import Config
    from parsl.dataflow.dflow import DataFlowKernel, DataFlowKernelLoader
    from parsl.dataflow.special_arguments import AUTO_LOGNAME
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.executors.threads import ThreadPoolExecutor
    from parsl.log_utils import set_file_logger, set_stream_logger
    from parsl.vocabulary.files import File

    __version__: str
    load = DataFlowKernelLoader.load
    map = bounded_map
    clear = DataFlowKernelLoader.clear
    dfk = DataFlowKernelLoader.dfk
    wait_for_current_tasks = DataFlowKernelLoader.wait_for_current_tasks

__all__ = [
    "AUTO_LOGNAME",
    "Config",
    "DataFlowKernel",
    "File",
    "HighThroughputExecutor",
    "ThreadPoolExecutor",
    "bash_app",
    "clear",
    "dfk",
    "join_app",
    "load",
    "python_app",
    "set_file_logger",
    "set_stream_logger",
    "wait_for_current_tasks",
]

#: Where each name is: the module, and the path to it there. ``map`` is not in ``__all__``: ``from parsl
#: import *`` must not hide Python's own.
_HOMES = {
    "AUTO_LOGNAME": ("parsl.dataflow.special_arguments", "AUTO_LOGNAME"),
    "Config": ("parsl.config", "Config"),
    "DataFlowKernel": ("parsl.dataflow.dflow", "DataFlowKernel"),
    "DataFlowKernelLoader": ("parsl.dataflow.run.loader", "DataFlowKernelLoader"),
    "File": ("parsl.vocabulary.files", "File"),
    "HighThroughputExecutor": ("parsl.executors.high_throughput.executor", "HighThroughputExecutor"),
    "ThreadPoolExecutor": ("parsl.executors.threads", "ThreadPoolExecutor"),
    "__version__": ("parsl.version", "VERSION"),
    "bash_app": ("parsl.app.app", "bash_app"),
    "clear": ("parsl.dataflow.run.loader", "DataFlowKernelLoader.clear"),
    "dfk": ("parsl.dataflow.run.loader", "DataFlowKernelLoader.dfk"),
    "join_app": ("parsl.app.app", "join_app"),
    "load": ("parsl.dataflow.run.loader", "DataFlowKernelLoader.load"),
    "map": ("parsl.app.bounded_map", "bounded_map"),
    "python_app": ("parsl.app.app", "python_app"),
    "set_file_logger": ("parsl.log_utils", "set_file_logger"),
    "set_stream_logger": ("parsl.log_utils", "set_stream_logger"),
    "wait_for_current_tasks": ("parsl.dataflow.run.loader", "DataFlowKernelLoader.wait_for_current_tasks"),
}

#: After ``import parsl``, these can be reached as attributes without an import of their own.
_SUBMODULES = frozenset(
    {
        "addresses",
        "app",
        "concurrent",
        "config",
        "data_provider",
        "dataflow",
        "errors",
        "executors",
        "jobs",
        "launchers",
        "log_utils",
        "logconfigs",
        "providers",
        "serialize",
        "utils",
        "version",
    }
)


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        module, path = _HOMES[name]
        value: object = import_module(module)
        for attribute in path.split("."):
            value = getattr(value, attribute)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"parsl.{name}")
    raise AttributeError(f"module 'parsl' has no attribute {name!r}; there are: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
