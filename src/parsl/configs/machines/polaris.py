"""Polaris: nodes of 32 cores and four A100 GPUs; PBS Pro, and mpiexec of HPE PALS."""

from __future__ import annotations

from typing import Any

from parsl.configs.alcf import pbs_provider
from parsl.configs.composing import compose_config
from parsl.configs.worker_init import compose_worker_init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from parsl.config import Config

#: Hardware threads of a node.
CPUS_PER_NODE = 64
GPUS_PER_NODE = 4
#: For each GPU the cores that are near it, with both threads; GPU 0 is near the last ones.
CPU_AFFINITY = "list:24-31,56-63:16-23,48-55:8-15,40-47:0-7,32-39"


def polaris(
    account: str,
    *,
    queue: str = "debug",
    nodes_per_block: int = 1,
    max_blocks: int = 1,
    min_blocks: int = 0,
    walltime: str = "0:30:00",
    filesystems: str = "home:eagle",
    environment: str | PathLike[str] | None = None,
    worker_init: str = "",
    directory: str | PathLike[str] | None = None,
    scheduler_options: str = "",
    prefetch_capacity: int = 0,
    label: str = "polaris",
    **config_options: Any,
) -> Config:
    """An ensemble of tasks of one GPU each, over as many PBS jobs as it takes.

    For a driver on a login node. Each node runs four workers, bound to the CPUs near their GPUs.

    Args:
        account: The project to charge.
        queue: The queue to submit to.
        nodes_per_block: Nodes of one job.
        max_blocks: Jobs that there may be at once.
        min_blocks: Jobs that are kept even when there is nothing to do.
        walltime: How long a job may run.
        filesystems: The file systems that jobs need, with colons between.
        environment: The virtual environment to activate in a job: its directory, or a script to source;
            None: the driver's own.
        worker_init: Further shell text to run first in a job, before the environment is activated.
        directory: Where jobs run; None: the driver's working directory.
        scheduler_options: Further ``#PBS`` lines.
        prefetch_capacity: Tasks that a node holds beyond one for each worker.
        label: The executor's name, by which apps choose it.
        config_options: Further options of Config; ``retries`` is 1 if not given, as tasks are interrupted
            by the end of a job.

    Raises:
        ParameterError: One of them is wrong.
    """
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import MpiExecLauncher

    provider = pbs_provider(
        "polaris",
        account,
        filesystems,
        scheduler_options,
        queue=queue,
        worker_init=compose_worker_init("polaris", environment, worker_init, directory),
        walltime=walltime,
        launcher=MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--depth=64 --ppn 1"),
        select_options=f"ngpus={GPUS_PER_NODE}",
        nodes_per_block=nodes_per_block,
        min_blocks=min_blocks,
        max_blocks=max_blocks,
        cpus_per_node=CPUS_PER_NODE,
    )
    executor = HighThroughputExecutor(
        label=label,
        available_accelerators=GPUS_PER_NODE,
        max_workers_per_node=GPUS_PER_NODE,
        cpu_affinity=CPU_AFFINITY,
        prefetch_capacity=prefetch_capacity,
        provider=provider,
    )
    return compose_config(polaris, executor, config_options, retries=1, strategy="htex_auto_scale")
