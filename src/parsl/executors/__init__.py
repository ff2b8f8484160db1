"""Executors run tasks. Importing this package imports no executor; using the name of one does."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.executors.high_throughput.mpi_executor import MPIExecutor
    from parsl.executors.threads import ThreadPoolExecutor

__all__ = ["HighThroughputExecutor", "MPIExecutor", "ThreadPoolExecutor"]

_MODULES = {
    "HighThroughputExecutor": "parsl.executors.high_throughput.executor",
    "MPIExecutor": "parsl.executors.high_throughput.mpi_executor",
    "ThreadPoolExecutor": "parsl.executors.threads",
}
#: Classes that scripts of earlier years import, with advice.
_RETIRED = {
    "Controller": "it belonged to the IPyParallelExecutor. A HighThroughputExecutor, which replaces that, "
    "starts all that it needs",
    "ExtremeScaleExecutor": "write HighThroughputExecutor(...), which scales to thousands of nodes, or for "
    "MPI programs MPIExecutor(...)",
    "IPyParallelExecutor": "write HighThroughputExecutor(label=..., provider=...), without engine_dir and "
    "controller; workers_per_node is max_workers_per_node there",
    "LowLatencyExecutor": "write HighThroughputExecutor(...), or ThreadPoolExecutor(...) for short functions",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES, _RETIRED)
