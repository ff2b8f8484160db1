"""Configurations that suit any machine: this one, and every cluster with Slurm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from parsl import executors, providers, validate
from parsl.config import Config
from parsl.configs.composing import compose_config, job_options, mpi_executor
from parsl.launchers import SimpleLauncher, SrunLauncher

#: By default srun binds a manager to the few CPUs of its step; the workers bind themselves.
_OVERRIDES = "--cpu-bind=none"


def this_machine(
    *,
    workers: int | None = None,
    available_accelerators: int | Sequence[str] = (),
    cpu_affinity: str = "none",
    worker_init: str = "",
    label: str = "this_machine",
    **config_options: Any,
) -> Config:
    """Configure tasks in processes of this machine, without any network connections.

    Args:
        workers: Tasks that run at once, even if there are fewer cores; None for one per accelerator, or
            one per core if there are no accelerators.
        available_accelerators: The number of accelerators, or their names.
        cpu_affinity: How workers are bound to CPUs.
        worker_init: Shell text to run before the workers start.
        label: The executor's label, by which apps select it.
        config_options: Further options of Config, such as ``run_dir``.

    Raises:
        ParameterError: A value is not allowed.
    """
    executor = executors.HighThroughputExecutor(
        label=label,
        max_workers_per_node=workers,
        cores_per_worker=1.0 if workers is None else 1e-3,  # the number of workers is the only limit
        available_accelerators=available_accelerators,
        cpu_affinity=cpu_affinity,
        provider=providers.LocalProvider(worker_init=worker_init),
    )
    return compose_config(this_machine, executor, config_options, strategy="none")


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
    """Configure an ensemble of tasks of one worker each, in Slurm jobs.

    The driver runs on a login node. Jobs use their nodes exclusively.

    Args:
        account: The account to charge; None for the default.
        partition: The partition to submit to; None for the default.
        nodes_per_block: Nodes of one job.
        max_blocks: The maximum number of jobs at a time.
        min_blocks: The number of jobs to keep when there are no tasks.
        walltime: The time limit of a job.
        workers_per_node: Tasks that a node runs at once; None for one per accelerator, or one per core if
            there are no accelerators.
        gpus_per_node: GPUs to request on each node.
        available_accelerators: The number of accelerators of a node, or their names; None for
            ``gpus_per_node``.
        cores_per_node: Cores to request on each node; None for all.
        cpu_affinity: How workers are bound to CPUs.
        environment: The virtual environment to activate in a job: its directory, or a script to source;
            None for the driver's own.
        worker_init: Further shell text to run first in a job, before the environment is activated.
        directory: The directory that jobs run in; None for the driver's working directory.
        label: The executor's label, by which apps select it.
        provider_options: Further options of SlurmProvider, such as ``{"qos": "debug"}``.
        config_options: Further options of Config; ``retries`` defaults to 1, as the end of a job
            interrupts tasks.

    Raises:
        ParameterError: A value is not allowed.
    """
    provider = _provider(
        "slurm",
        locals(),
        launcher=SrunLauncher(overrides=_OVERRIDES),
        gpus_per_node=gpus_per_node,
        cores_per_node=cores_per_node,
    )
    accelerators = (gpus_per_node or 0) if available_accelerators is None else available_accelerators
    executor = executors.HighThroughputExecutor(
        label=label,
        max_workers_per_node=workers_per_node,
        available_accelerators=accelerators,
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
    """Configure an ensemble of MPI programs of one or more nodes each, in Slurm jobs.

    Tasks start their programs with ``$PARSL_MPI_PREFIX``. The other parameters are those of :func:`slurm`.

    Args:
        nodes_per_task: The smallest number of nodes of a task, which limits how many tasks a job runs at
            once.
        mpi_launcher: The command that starts the programs: srun or mpiexec.
    """
    provider = _provider("slurm_mpi", locals(), launcher=SimpleLauncher())
    executor = mpi_executor("slurm_mpi", label, provider, nodes_per_task, mpi_launcher=mpi_launcher)
    return compose_config(slurm_mpi, executor, config_options, retries=1, strategy="htex_auto_scale")


def _provider(owner: str, parameters: Mapping[str, Any], **options: Any) -> providers.SlurmProvider:
    more = validate.instance(owner, "provider_options", parameters["provider_options"], dict, optional=True)
    common = {"account": parameters["account"], "partition": parameters["partition"]}
    return providers.SlurmProvider(**{**common, **job_options(owner, parameters), **options, **(more or {})})
