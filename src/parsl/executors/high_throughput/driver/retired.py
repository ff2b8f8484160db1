"""Arguments that the executors of this package once had."""

from __future__ import annotations

from parsl.common.parameter_names import Retired, accepts_retired, renamed


def _first_port(worker_ports: tuple[int, int] | None) -> int | None:
    return None if worker_ports is None else worker_ports[0]


def _no_mpi_mode(enable_mpi_mode: bool) -> None:
    if enable_mpi_mode:
        raise ValueError("write MPIExecutor(mpi_launcher=..., max_workers_per_block=...) instead")


def _fork_only(start_method: str) -> None:
    if start_method == "thread":
        raise ValueError("workers are processes; leave it out")


_WORKER_PORTS = Retired("write worker_port instead, the first of the two", "worker_port", _first_port)
_START_METHOD = Retired("leave it out; workers are forked from a server without threads", convert=_fork_only)
_MANAGED = Retired("leave it out; write strategy='none' in the Config for blocks that are not scaled")

accepts_retired_htex_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_node"),
    worker_ports=_WORKER_PORTS,
    start_method=_START_METHOD,
    managed=_MANAGED,
    enable_mpi_mode=Retired("leave it out; MPIExecutor is for MPI", convert=_no_mpi_mode),
    mpi_launcher=Retired("leave it out, or write MPIExecutor(mpi_launcher=...)"),
)

accepts_retired_mpi_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_block"),
    max_workers_per_node=renamed("max_workers_per_block"),
    worker_ports=_WORKER_PORTS,
    enable_mpi_mode=Retired("leave it out; an MPIExecutor is always in that mode"),
)
