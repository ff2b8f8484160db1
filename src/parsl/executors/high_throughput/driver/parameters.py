"""Parameters of the executors: checks that only these executors need, and arguments of earlier versions."""

from __future__ import annotations

from typing import Any

from parsl import validate
from parsl.common.parameter_names import Retired, accepts_retired, renamed

#: Highest prefetch_capacity: more than any queue of tasks, and small enough for the wire format.
MAX_PREFETCH = 1_000_000_000


def check_provider(owner: object, provider: Any) -> Any:
    """Return the provider.

    Raises:
        ParameterError: It lacks a method of providers.
    """
    missing = [name for name in ("submit", "status", "cancel") if not callable(getattr(provider, name, None))]
    if missing or isinstance(provider, type):
        validate.wrong_type(owner, "provider", provider, "a provider, such as LocalProvider()")
    return provider


def check_label(owner: object, label: Any) -> str:
    """Return the label.

    Raises:
        ParameterError: It cannot be the name of a directory.
    """
    text = validate.text(owner, "label", label, allow_empty=False, one_line=True)
    if "/" in text or text in (".", ".."):
        validate.wrong_value(owner, "label", label, "a name that can be a directory's: without '/'")
    return text


def check_max_workers(owner: object, value: Any) -> int | None:
    """Return the maximum number of workers of a node; None for as many as fit, also given as infinity.

    Raises:
        ParameterError: It is neither a positive integer, None nor infinity.
    """
    if value is None or value == float("inf"):
        return None
    return validate.integer(owner, "max_workers_per_node", value, low=1)


def check_enforcing(owner: object, value: Any, mem_per_worker: float | None) -> bool:
    """Return whether memory limits are enforced.

    Raises:
        ParameterError: There is no limit to enforce.
    """
    if validate.boolean(owner, "enforce_mem_per_worker", value) and mem_per_worker is None:
        validate.wrong_value(
            owner, "enforce_mem_per_worker", value, "False without mem_per_worker, the limit, in GB"
        )
    return bool(value)


def _first_port(worker_ports: tuple[int, int] | None) -> int | None:
    return None if worker_ports is None else worker_ports[0]


def _no_mpi_mode(enable_mpi_mode: bool) -> None:
    if enable_mpi_mode:
        raise ValueError("write MPIExecutor(mpi_launcher=..., max_workers_per_block=...) instead")


def _fork_only(start_method: str) -> None:
    if start_method == "thread":
        raise ValueError("workers are processes; leave it out")


_WORKER_PORTS = Retired("write worker_port instead, the first of the two", "worker_port", _first_port)

accepts_retired_htex_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_node"),
    worker_ports=_WORKER_PORTS,
    start_method=Retired("leave it out; a fork server starts the workers", convert=_fork_only),
    managed=Retired("leave it out; write strategy='none' in the Config for blocks that are not scaled"),
    enable_mpi_mode=Retired("leave it out; MPIExecutor is for MPI", convert=_no_mpi_mode),
    mpi_launcher=Retired("leave it out, or write MPIExecutor(mpi_launcher=...)"),
)

accepts_retired_mpi_arguments = accepts_retired(
    max_workers=renamed("max_workers_per_block"),
    max_workers_per_node=renamed("max_workers_per_block"),
    worker_ports=_WORKER_PORTS,
    enable_mpi_mode=Retired("leave it out; an MPIExecutor is always in that mode"),
)
