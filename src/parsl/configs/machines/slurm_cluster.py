"""A cluster with Slurm, whichever it is."""

from __future__ import annotations

from typing import Any

from parsl import validate
from parsl.configs.composing import compose_config
from parsl.configs.worker_init import compose_worker_init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from parsl.config import Config
    from parsl.launchers.base import Launcher
    from parsl.providers.slurm.slurm import SlurmProvider

#: srun binds what it starts to the few CPUs it has asked for; the workers bind themselves.
_OVERRIDES = "--cpu-bind=none"


def slurm(
    *,
    account: str | None = None,
    partition: str | None = None,
    nodes_per_block: int = 1,
    max_blocks: int = 1,
    min_blocks: int = 0,
    walltime: str = "00:30:00",
    workers_per_node: int | None = None,
    gpus_per_node: int | None = None,
    available_accelerators: int | Sequence[str] | None = None,
    cores_per_node: int | None = None,
    cpu_affinity: str = "block",
    environment: str | PathLike[str] | None = None,
    worker_init: str = "",
    directory: str | PathLike[str] | None = None,
    label: str = "slurm",
    provider_options: dict[str, Any] | None = None,
    **config_options: Any,
) -> Config:
    """An ensemble of tasks of one worker each, over as many Slurm jobs as it takes.

    For a driver on a login node. Jobs have their nodes for themselves.

    Args:
        account: The account to charge; None where there is a default.
        partition: The partition to submit to; None for the default.
        nodes_per_block: Nodes of one job.
        max_blocks: Jobs that there may be at once.
        min_blocks: Jobs that are kept even when there is nothing to do.
        walltime: How long a job may run.
        workers_per_node: Tasks that a node runs at once; None: one for each accelerator, or else for each
            core.
        gpus_per_node: GPUs to ask for on each node.
        available_accelerators: How many accelerators a node has, or their names; None: ``gpus_per_node``.
        cores_per_node: Cores to ask for on each node; None: what is there.
        cpu_affinity: How workers are bound to CPUs.
        environment: The virtual environment to activate in a job: its directory, or a script to source;
            None: the driver's own.
        worker_init: Further shell text to run first in a job, before the environment is activated.
        directory: Where jobs run; None: the driver's working directory.
        label: The executor's name, by which apps choose it.
        provider_options: Further options of SlurmProvider, such as ``{"qos": "debug"}``.
        config_options: Further options of Config; ``retries`` is 1 if not given, as tasks are interrupted
            by the end of a job.

    Raises:
        ParameterError: One of them is wrong.
    """
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import SrunLauncher

    provider = _provider(
        "slurm",
        SrunLauncher(overrides=_OVERRIDES),
        compose_worker_init("slurm", environment, worker_init, directory),
        provider_options,
        account=account,
        partition=partition,
        nodes_per_block=nodes_per_block,
        max_blocks=max_blocks,
        min_blocks=min_blocks,
        walltime=walltime,
        gpus_per_node=gpus_per_node,
        cores_per_node=cores_per_node,
    )
    executor = HighThroughputExecutor(
        label=label,
        max_workers_per_node=workers_per_node,
        available_accelerators=(gpus_per_node or 0)
        if available_accelerators is None
        else available_accelerators,
        cpu_affinity=cpu_affinity,
        provider=provider,
    )
    return compose_config(slurm, executor, config_options, retries=1, strategy="htex_auto_scale")


def slurm_mpi(
    *,
    account: str | None = None,
    partition: str | None = None,
    nodes_per_block: int = 2,
    nodes_per_task: int = 1,
    max_blocks: int = 1,
    min_blocks: int = 0,
    walltime: str = "00:30:00",
    mpi_launcher: str = "srun",
    environment: str | PathLike[str] | None = None,
    worker_init: str = "",
    directory: str | PathLike[str] | None = None,
    label: str = "slurm_mpi",
    provider_options: dict[str, Any] | None = None,
    **config_options: Any,
) -> Config:
    """An ensemble of MPI programs of one or more nodes each, over as many Slurm jobs as it takes.

    Tasks start their programs with ``$PARSL_MPI_PREFIX``.

    Args:
        nodes_per_task: The fewest nodes that a task asks for: so many tasks fit into a job at once.
        mpi_launcher: What the programs are started with: srun or mpiexec.
        account: As for :func:`slurm`, and so are the others.

    Raises:
        ParameterError: One of them is wrong.
    """
    from parsl.executors import MPIExecutor
    from parsl.launchers import SimpleLauncher

    provider = _provider(
        "slurm_mpi",
        SimpleLauncher(),
        compose_worker_init("slurm_mpi", environment, worker_init, directory),
        provider_options,
        account=account,
        partition=partition,
        nodes_per_block=nodes_per_block,
        max_blocks=max_blocks,
        min_blocks=min_blocks,
        walltime=walltime,
    )
    validate.integer("slurm_mpi", "nodes_per_task", nodes_per_task, low=1, high=provider.nodes_per_block)
    executor = MPIExecutor(
        label=label,
        provider=provider,
        max_workers_per_block=provider.nodes_per_block // nodes_per_task,
        mpi_launcher=mpi_launcher,
        encrypted=True,
    )
    return compose_config(slurm_mpi, executor, config_options, retries=1, strategy="htex_auto_scale")


def _provider(
    owner: str, launcher: Launcher, worker_init: str, more: dict[str, Any] | None, **options: Any
) -> SlurmProvider:
    from parsl.providers import SlurmProvider

    validate.instance(owner, "provider_options", more, dict, optional=True)
    return SlurmProvider(**{"launcher": launcher, "worker_init": worker_init, **options, **(more or {})})
