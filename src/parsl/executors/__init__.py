"""Executors run tasks. Importing this package imports no executor; using the name of one does."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.executors.high_throughput.mpi_executor import MPIExecutor
    from parsl.executors.threads import ThreadPoolExecutor

__all__ = ["HighThroughputExecutor", "MPIExecutor", "ThreadPoolExecutor"]

_HOMES = {
    "HighThroughputExecutor": "parsl.executors.high_throughput.executor",
    "MPIExecutor": "parsl.executors.high_throughput.mpi_executor",
    "ThreadPoolExecutor": "parsl.executors.threads",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; the executors there are: {', '.join(__all__)}"
        )
    from importlib import import_module

    executor = getattr(import_module(home), name)
    globals()[name] = executor
    return executor


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
