"""The provider for Slurm."""

from __future__ import annotations

import re

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.batch.checks import expression, word
from parsl.providers.batch.template import double_quoted, template_beside
from parsl.providers.batch.walltime import format_walltime
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.retired import accepts_retired_provider_arguments
from parsl.providers.slurm.dialect import SlurmDialect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.launchers.base import Launcher
    from parsl.providers.batch.dialect import Dialect
    from parsl.providers.batch.job_files import JobFiles

_DEFAULT_LAUNCHER = SingleNodeLauncher()


class SlurmProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Slurm.

    Args:
        partition: The partition to submit to; None for the cluster's default.
        account: The account to charge.
        qos: The quality of service to ask for.
        constraint: Features that the nodes must have, such as ``"gpu"``.
        clusters: The clusters to submit to, separated by commas.
        nodes_per_block: Nodes of one block.
        cores_per_node: Cores to have on each node; workers see that many.
        mem_per_node: Memory to have on each node, in GB; workers see that much.
        gpus_per_node: GPUs to have on each node.
        gres: Other generic resources, such as ``"gpu:2"``.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        parallelism: Slots to have for each task, from 0 to 1.
        walltime: How long a block may run: ``HH:MM:SS``, ``MM:SS``, ``D-HH``, ``D-HH:MM:SS`` or minutes.
        scheduler_options: Further lines for the job script, such as ``"#SBATCH --mem=4g"``.
        regex_job_id: A regular expression for what sbatch prints; its group ``id`` is the job's id.
        worker_init: Shell text to run first, such as the activation of an environment.
        cmd_timeout: How long to wait for a command of the scheduler, in seconds.
        status_batch_size: How many jobs to ask about with one command.
        exclusive: Whether the nodes are for this block alone.
        launcher: Starts the managers on the nodes.
    """

    walltime_bare_unit = "minute"

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
        launcher: Launcher = _DEFAULT_LAUNCHER,
    ) -> None:
        super().__init__(
            "slurm",
            nodes_per_block,
            init_blocks,
            min_blocks,
            max_blocks,
            parallelism,
            walltime,
            launcher,
            cmd_timeout=cmd_timeout,
        )
        self.partition = word(self, "partition", partition)
        self.account = word(self, "account", account)
        self.qos = word(self, "qos", qos)
        self.constraint = expression(self, "constraint", constraint)
        self.clusters = word(self, "clusters", clusters)
        self.cores_per_node = validate.integer(self, "cores_per_node", cores_per_node, low=1, optional=True)
        self.mem_per_node = validate.number(self, "mem_per_node", mem_per_node, above=0, optional=True)
        self.gpus_per_node = validate.integer(self, "gpus_per_node", gpus_per_node, low=0, optional=True)
        self.gres = word(self, "gres", gres)
        self.scheduler_options = validate.text(self, "scheduler_options", scheduler_options)
        self.regex_job_id = _job_id_pattern(self, regex_job_id)
        self.worker_init = validate.text(self, "worker_init", worker_init)
        self.status_batch_size = validate.integer(self, "status_batch_size", status_batch_size, low=1)
        self.exclusive = validate.boolean(self, "exclusive", exclusive)
        self._dialect = SlurmDialect(self.regex_job_id, self.clusters)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.slurm") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def status_batch_limit(self) -> int:
        return self.status_batch_size

    def template_path(self) -> str:
        return template_beside(__file__)

    def template_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        cores = self.cores_per_node
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
            "gpus_per_node": _text(self.gpus_per_node or None),
            "gres": self.gres,
            "mem_per_node": _text(self.mem_per_node),
            "mem": None if self.mem_per_node is None else f"{round(self.mem_per_node * 1024)}M",
            "cores_per_node": _text(cores),
            "cpus_per_task": None if cores is None else str(max(1, cores // tasks_per_node)),
        }


def _output_pattern(path: str) -> str:
    """Slurm replaces what follows a % in the names of output files."""
    return double_quoted(path.replace("%", "%%"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _job_id_pattern(owner: object, value: object) -> str:
    pattern = validate.text(owner, "regex_job_id", value, allow_empty=False)
    expected = "a regular expression with a group named id, as in '(?P<id>[0-9]+)'"
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        validate.wrong_value(owner, "regex_job_id", value, f"{expected} ({error})")
    if "id" not in groups:
        validate.wrong_value(owner, "regex_job_id", value, expected)
    return pattern
