"""Machines of ALCF, the Argonne Leadership Computing Facility: PBS Pro, and mpiexec of HPE PALS.

Aurora has 10,624 nodes of 2 x 52 cores and six GPUs with two tiles each; a node of Polaris has 32 cores and
four A100 GPUs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from parsl import executors, providers, validate
from parsl.config import Config
from parsl.configs.composing import compose_config, job_options, mpi_executor
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.node_list import NODE_FILE_VARIABLE, NoNodes, read_nodes
from parsl.launchers import MpiExecLauncher, SimpleLauncher
from parsl.providers.base import ExecutionProvider

_MANAGER_PER_NODE = MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")

#: Hardware threads of a node of Aurora: threads i and i + 104 belong to the same core.
AURORA_CPUS = 208
AURORA_GPUS = 6
#: The tiles of a node. Where Level Zero numbers them 0 to 11, the node translates these names.
AURORA_TILES = tuple(f"{gpu}.{tile}" for gpu in range(AURORA_GPUS) for tile in range(2))
#: For each tile eight cores of its own socket, with both threads. The site reserves cores 0 and 52 for the
#: system by default; this is the binding of the site's own guide.
_AURORA_AFFINITY = (
    "list:0-7,104-111:8-15,112-119:16-23,120-127:24-31,128-135:32-39,136-143:40-47,144-151"
    ":52-59,156-163:60-67,164-171:68-75,172-179:76-83,180-187:84-91,188-195:92-99,196-203"
)
#: How many programs over several nodes Aurora can start in one job.
_MAX_LAUNCHES = 1000

#: Hardware threads of a node of Polaris.
_POLARIS_CPUS = 64
_POLARIS_GPUS = ("0", "1", "2", "3")
#: For each GPU the nearest cores, with both threads; GPU 0 is nearest to the last cores.
_POLARIS_AFFINITY = "list:24-31,56-63:16-23,48-55:8-15,40-47:0-7,32-39"


def aurora_tiles(
    account: str,
    *,
    queue: str = "debug",
    nodes_per_block: int = 1,
    max_blocks: int = 1,
    min_blocks: int = 0,
    walltime: str = "0:30:00",
    filesystems: str = "home:flare",
    environment: str | PathLike[str] | None = None,
    worker_init: str = "",
    directory: str | PathLike[str] | None = None,
    scheduler_options: str = "",
    prefetch_capacity: int = 0,
    label: str = "aurora_tiles",
    **config_options: Any,
) -> Config:
    """Configure an ensemble of tasks of one GPU tile each, in PBS jobs.

    The driver runs on a login node. Each node runs twelve workers, bound to the CPUs near their tiles.

    Args:
        account: The project to charge.
        queue: The queue to submit to.
        nodes_per_block: Nodes of one job.
        max_blocks: The maximum number of jobs at a time.
        min_blocks: The number of jobs to keep when there are no tasks.
        walltime: The time limit of a job.
        filesystems: The file systems that jobs need, separated by colons.
        environment: The virtual environment to activate in a job: its directory, or a script to source;
            None for the driver's own.
        worker_init: Further shell text to run first in a job, before the environment is activated, such as
            ``"module load frameworks"``.
        directory: The directory that jobs run in; None for the driver's working directory.
        scheduler_options: Further ``#PBS`` lines.
        prefetch_capacity: Tasks that a node holds in addition to one for each worker.
        label: The executor's label, by which apps select it.
        config_options: Further options of Config, such as ``run_dir``; ``retries`` defaults to 1, as the
            end of a job interrupts tasks.

    Raises:
        ParameterError: A value is not allowed.
    """
    provider = _pbs_provider("aurora_tiles", locals(), launcher=_MANAGER_PER_NODE, cpus_per_node=AURORA_CPUS)
    executor = _gpu_executor(label, provider, prefetch_capacity, AURORA_TILES, _AURORA_AFFINITY)
    return compose_config(aurora_tiles, executor, config_options, retries=1, strategy="htex_auto_scale")


def aurora_mpi(
    account: str,
    *,
    queue: str = "debug",
    nodes_per_block: int = 2,
    nodes_per_task: int = 1,
    max_blocks: int = 1,
    min_blocks: int = 0,
    walltime: str = "0:30:00",
    filesystems: str = "home:flare",
    environment: str | PathLike[str] | None = None,
    worker_init: str = "",
    directory: str | PathLike[str] | None = None,
    scheduler_options: str = "",
    max_launches_per_block: int | None = _MAX_LAUNCHES,
    label: str = "aurora_mpi",
    **config_options: Any,
) -> Config:
    """Configure an ensemble of MPI programs of one or more nodes each, in PBS jobs.

    The driver runs on a login node. Tasks start their programs with ``$PARSL_MPI_PREFIX``. The other
    parameters are those of :func:`aurora_tiles`.

    Args:
        nodes_per_task: The smallest number of nodes of a task, which limits how many tasks a job runs at
            once.
        max_launches_per_block: How many tasks a job runs before Parsl replaces it with another one, as
            Aurora starts no more programs over several nodes in a job; None for no limit.
    """
    provider = _pbs_provider("aurora_mpi", locals(), launcher=SimpleLauncher(), cpus_per_node=AURORA_CPUS)
    executor = mpi_executor(
        "aurora_mpi",
        label,
        provider,
        nodes_per_task,
        mpi_launcher="mpiexec",
        max_launches_per_block=max_launches_per_block if provider.nodes_per_block > 1 else None,
    )
    return compose_config(aurora_mpi, executor, config_options, retries=1, strategy="htex_auto_scale")


def aurora_in_job(
    *,
    nodes: int | None = None,
    worker_init: str = "",
    prefetch_capacity: int = 0,
    label: str = "aurora_in_job",
    **config_options: Any,
) -> Config:
    """Configure an ensemble of tasks of one GPU tile each, within the PBS job that the driver runs in.

    Args:
        nodes: How many of the job's nodes to use; None for all.
        worker_init: Shell text to run before the managers start; they inherit the job's environment.
        prefetch_capacity: Tasks that a node holds in addition to one for each worker.
        label: The executor's label, by which apps select it.
        config_options: Further options of Config; ``retries`` defaults to 1, as nodes can fail.

    Raises:
        ConfigurationError: The driver does not run in a PBS job, or its node file cannot be used.
    """
    available = _nodes_of_job()
    requested = available if nodes is None else nodes
    provider = providers.LocalProvider(
        nodes_per_block=validate.integer("aurora_in_job", "nodes", requested, low=1, high=available),
        launcher=_MANAGER_PER_NODE,
        init_blocks=1,
        max_blocks=1,
        worker_init=worker_init,
    )
    executor = _gpu_executor(label, provider, prefetch_capacity, AURORA_TILES, _AURORA_AFFINITY)
    return compose_config(aurora_in_job, executor, config_options, retries=1, strategy="none")


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
    """
    provider = _pbs_provider(
        "polaris",
        locals(),
        launcher=MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--depth=64 --ppn 1"),
        select_options=f"ngpus={len(_POLARIS_GPUS)}",
        cpus_per_node=_POLARIS_CPUS,
    )
    executor = _gpu_executor(label, provider, prefetch_capacity, _POLARIS_GPUS, _POLARIS_AFFINITY)
    return compose_config(polaris, executor, config_options, retries=1, strategy="htex_auto_scale")


def _nodes_of_job() -> int:
    if not os.environ.get(NODE_FILE_VARIABLE):
        raise ConfigurationError(
            f"aurora_in_job: {NODE_FILE_VARIABLE} is not set: this is not a PBS job. Start the script within "
            "one, or use aurora_tiles() on a login node."
        )
    try:
        return len(read_nodes(os.environ, ""))
    except NoNodes as error:
        raise ConfigurationError(f"aurora_in_job: {error}") from error


def _pbs_provider(owner: str, parameters: Mapping[str, Any], **options: Any) -> providers.PBSProProvider:
    """Return a provider for jobs of ALCF, given the ``locals()`` of the configuration named ``owner``."""
    account = validate.text(owner, "account", parameters["account"], allow_empty=False, one_line=True)
    more = validate.text(owner, "scheduler_options", parameters["scheduler_options"])
    filesystems = validate.text(
        owner, "filesystems", parameters["filesystems"], allow_empty=False, one_line=True
    )
    if not re.fullmatch(r"[\w.-]+(?::[\w.-]+)*", filesystems):
        expected = "names separated by colons, as in 'home:flare'"
        validate.wrong_value(owner, "filesystems", filesystems, expected)
    # ALCF rejects jobs that do not name their file systems.
    lines = [f"#PBS -l filesystems={filesystems}", *([more] if more else [])]
    return providers.PBSProProvider(
        account=account,
        queue=parameters["queue"],
        scheduler_options="\n".join(lines),
        **job_options(owner, parameters),
        **options,
    )


def _gpu_executor(
    label: str, provider: ExecutionProvider, prefetch: int, accelerators: Sequence[str], affinity: str
) -> executors.HighThroughputExecutor:
    """Return an executor with one worker for each accelerator of a node."""
    return executors.HighThroughputExecutor(
        label=label,
        available_accelerators=accelerators,
        max_workers_per_node=len(accelerators),
        cpu_affinity=affinity,
        prefetch_capacity=prefetch,
        provider=provider,
    )
