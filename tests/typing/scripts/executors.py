"""The arguments of executors, those included that one executor inherits from another."""

from __future__ import annotations

from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider

HighThroughputExecutor("htex", LocalProvider(), max_workers_per_node=2, worker_port_range=(54000, 54100))
HighThroughputExecutor(max_workers_per_node="2")  # error: [arg-type]

provider = LocalProvider(launcher=SimpleLauncher())
MPIExecutor("mpi", provider, max_workers_per_block=4, mpi_launcher="srun", encrypted=True)
MPIExecutor(label="mpi", worker_port_range=None, drain_period=60, storage_access=[], address="::1")
MPIExecutor(max_workers_per_block="4")  # error: [arg-type]
MPIExecutor(drain_period="60")  # error: [arg-type]
MPIExecutor(max_workers_per_blok=4)  # error: [call-arg]
MPIExecutor(cores_per_worker=2)  # error: [call-arg]
