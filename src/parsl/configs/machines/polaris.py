"""Polaris: nodes of 32 cores and four A100 GPUs; PBS Pro, and mpiexec of HPE PALS."""

from __future__ import annotations

from os import PathLike
from typing import Any

from parsl.configs.alcf import pbs_provider
from parsl.configs.composing import compose_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config

#: Hardware threads of a node.
CPUS_PER_NODE = 64
GPUS_PER_NODE = 4
#: For each GPU the nearest cores, with both threads; GPU 0 is nearest to the last cores.
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
    """Configure an ensemble of tasks of one GPU each, in PBS jobs.

    The driver runs on a login node. Each node runs four workers, bound to the CPUs near their GPUs. The
    parameters are those of :func:`aurora_tiles`.

    Raises:
        ParameterError: A value is not allowed.
    """
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import MpiExecLauncher

    provider = pbs_provider(
        "polaris",
        locals(),
        launcher=MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--depth=64 --ppn 1"),
        select_options=f"ngpus={GPUS_PER_NODE}",
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
