"""The provider for Slurm."""

from __future__ import annotations

import re
from collections.abc import Mapping

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import double_quoted, template_next_to
from parsl.providers.batch.parameters import format_walltime, one_line, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.providers.slurm.dialect import SlurmDialect


def _check_job_id_pattern(owner: object, name: str, value: object) -> str:
    pattern = validate.text(owner, name, value, allow_empty=False)
    expected = "a regular expression with a group named id, as in '(?P<id>[0-9]+)'"
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        validate.wrong_value(owner, name, value, f"{expected} ({error})")
    if "id" not in groups:
        validate.wrong_value(owner, name, value, expected)
    return pattern


class SlurmProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Slurm.

    Args:
        partition: The partition to submit to; None for the cluster's default.
        account: The account to charge.
        qos: The quality of service to request.
        constraint: Features that the nodes must have, such as ``"gpu"``.
        clusters: The clusters to submit to, separated by commas.
        nodes_per_block: Nodes of one block.
        cores_per_node: Cores to request on each node; this limits the workers.
        mem_per_node: Memory to request on each node, in GB; this limits the workers.
        gpus_per_node: GPUs to request on each node.
        gres: Other generic resources, such as ``"gpu:2"``.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        walltime: The time limit of a block: ``HH:MM:SS``, ``MM:SS``, ``D-HH``, ``D-HH:MM:SS`` or minutes.
        scheduler_options: Further lines for the job script, such as ``"#SBATCH --mem=4g"``.
        regex_job_id: A regular expression for the output of sbatch; its group ``id`` is the job's id.
        worker_init: Shell text to run first, such as the activation of an environment.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
        status_batch_size: How many jobs to query with one command.
        exclusive: Whether to request nodes that run no other jobs.
        launcher: Starts the managers on the nodes.
    """

    partition = validate.Custom(one_word)
    account = validate.Custom(one_word)
    qos = validate.Custom(one_word)
    constraint = validate.Custom(one_line)
    clusters = validate.Custom(one_word)
    cores_per_node = validate.Integer(low=1, optional=True)
    mem_per_node = validate.Number(above=0, optional=True)
    gpus_per_node = validate.Integer(low=0, optional=True)
    gres = validate.Custom(one_word)
    regex_job_id = validate.Custom(_check_job_id_pattern)
    status_batch_size = validate.Integer(low=1)
    exclusive = validate.Boolean()

    walltime_bare_unit = "minute"
    header_path = template_next_to(__file__, "header.sh")
    redirects_output = False

    @accepts_retired_provider_arguments
    def __init__(
        self,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        clusters: str | None = None,
        nodes_per_block: int = 1,
        cores_per_node: int | None = None,
        mem_per_node: int | None = None,
        gpus_per_node: int | None = None,
        gres: str | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        regex_job_id: str = r"Submitted batch job (?P<id>\S*)",
        worker_init: str = "",
        cmd_timeout: float = 10,
        status_batch_size: int = 50,
        exclusive: bool = True,
        launcher: Launcher = SingleNodeLauncher(),
    ) -> None:
        self._configure("slurm", locals())
        self._dialect = SlurmDialect(self.regex_job_id, self.clusters)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.slurm") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def status_batch_limit(self) -> int:
        return self.status_batch_size

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        cores, memory_gb = self.cores_per_node, self.mem_per_node
        return {
            "output": _output_pattern(files.stdout_path),
            "error": _output_pattern(files.stderr_path),
            "nodes": str(self.nodes_per_block),
            "walltime": format_walltime(self.walltime_s),
            "tasks_per_node": str(tasks_per_node),
            "exclusive": "" if self.exclusive else None,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": None if self.constraint is None else f'"{self.constraint}"',
            "clusters": self.clusters,
            "gpus_per_node": str(self.gpus_per_node) if self.gpus_per_node else None,
            "gres": self.gres,
            "mem": None if memory_gb is None else f"{round(memory_gb * 1024)}M",
            "cpus_per_task": None if cores is None else str(max(1, cores // tasks_per_node)),
            "memory_gb": None if memory_gb is None else str(memory_gb),
            "cores": None if cores is None else str(cores),
        }


def _output_pattern(path: str) -> str:
    """Return a path for an output file, in whose name Slurm replaces % and the character that follows."""
    return double_quoted(path.replace("%", "%%"))
