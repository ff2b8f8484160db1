"""Executors run tasks. Importing this package imports no executor; using the name of one does."""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.concurrent import ConcurrentExecutor
    from parsl.executors.dask.executor import DaskExecutor
    from parsl.executors.flux.executor import FluxExecutor
    from parsl.executors.globus_compute import GlobusComputeExecutor
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.executors.high_throughput.mpi_executor import MPIExecutor
    from parsl.executors.radical.executor import RadicalPilotExecutor
    from parsl.executors.ray.executor import RayExecutor
    from parsl.executors.threads import ThreadPoolExecutor
    from parsl.executors.workqueue.executor import WorkQueueExecutor

__all__ = [
    "ConcurrentExecutor",
    "DaskExecutor",
    "FluxExecutor",
    "GlobusComputeExecutor",
    "HighThroughputExecutor",
    "MPIExecutor",
    "RayExecutor",
    "RadicalPilotExecutor",
    "ThreadPoolExecutor",
    "WorkQueueExecutor",
]

_MODULES = {
    "ConcurrentExecutor": "parsl.executors.concurrent",
    "DaskExecutor": "parsl.executors.dask.executor",
    "FluxExecutor": "parsl.executors.flux.executor",
    "GlobusComputeExecutor": "parsl.executors.globus_compute",
    "HighThroughputExecutor": "parsl.executors.high_throughput.executor",
    "MPIExecutor": "parsl.executors.high_throughput.mpi_executor",
    "RayExecutor": "parsl.executors.ray.executor",
    "RadicalPilotExecutor": "parsl.executors.radical.executor",
    "ThreadPoolExecutor": "parsl.executors.threads",
    "WorkQueueExecutor": "parsl.executors.workqueue.executor",
}
_RETIRED = "has been retired:"
_NOT_YET = "is not available in this version yet:"
#: Classes that scripts import, often without using them, and the advice for a script that does.
_REFUSED = {
    "Controller": f"{_RETIRED} it belonged to the IPyParallelExecutor. A HighThroughputExecutor, which "
    "replaces that, starts all that it needs",
    "ExtremeScaleExecutor": f"{_RETIRED} write HighThroughputExecutor(...), which scales to thousands of "
    "nodes, or for MPI programs MPIExecutor(...)",
    "IPyParallelExecutor": f"{_RETIRED} write HighThroughputExecutor(label=..., provider=...), without "
    "engine_dir and controller; workers_per_node is max_workers_per_node there",
    "LowLatencyExecutor": f"{_RETIRED} write HighThroughputExecutor(...), or ThreadPoolExecutor(...) for "
    "short functions",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES, _REFUSED)
