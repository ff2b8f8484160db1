"""The provider for IBM Spectrum LSF."""

from __future__ import annotations

from collections.abc import Mapping

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_minutes, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.providers.lsf.dialect import LSFDialect


class LSFProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of LSF.

    A block is requested as a number of nodes or, with ``request_by_nodes=False``, of cores.

    Args:
        nodes_per_block: Nodes of one block.
        cores_per_block: Cores of one block, if blocks are requested by cores.
        cores_per_node: Cores on each node, if blocks are requested by cores.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        walltime: The time limit of a block: ``HH:MM:SS``, ``HH:MM`` or minutes.
        scheduler_options: Further lines for the job script, such as ``"#BSUB -alloc_flags smt4"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        project: The project to charge.
        queue: The queue to submit to; None for the default.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
        bsub_redirection: Whether bsub reads the job script from its standard input, as most sites require.
        request_by_nodes: Whether to request blocks by nodes rather than by cores.
        launcher: Starts the managers on the nodes.
    """

    cores_per_block = validate.Integer(low=1, optional=True)
    cores_per_node = validate.Integer(low=1, optional=True)
    project = validate.Custom(one_word)
    queue = validate.Custom(one_word)
    bsub_redirection = validate.Boolean()
    request_by_nodes = validate.Boolean()

    walltime_bare_unit = "minute"
    walltime_pair_unit = "hour"
    header_path = template_next_to(__file__, "header.sh")

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        cores_per_block: int | None = None,
        cores_per_node: int | None = None,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        worker_init: str = "",
        project: str | None = None,
        queue: str | None = None,
        cmd_timeout: float = 120,
        bsub_redirection: bool = False,
        request_by_nodes: bool = True,
        launcher: Launcher = SingleNodeLauncher(),
    ) -> None:
        self._configure("LSF", locals())
        if not self.request_by_nodes:
            self._derive_nodes_from_cores()
        self._dialect = LSFDialect(self.bsub_redirection)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.lsf") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "walltime": format_minutes(self.walltime_s),
            "project": self.project,
            "queue": self.queue,
            "nodes": str(self.nodes_per_block) if self.request_by_nodes else None,
            "cores_per_block": None if self.request_by_nodes else str(self.cores_per_block),
            "cores_per_node": None if self.request_by_nodes else str(self.cores_per_node),
        }

    def _derive_nodes_from_cores(self) -> None:
        for name in ("cores_per_block", "cores_per_node"):
            if getattr(self, name) is None:
                expected = "an integer >= 1, as blocks are requested by cores (request_by_nodes=False)"
                validate.wrong_value(self, name, None, expected)
        cores_per_block, cores_per_node = self.cores_per_block or 1, self.cores_per_node or 1
        self.nodes_per_block = -(-cores_per_block // cores_per_node)
