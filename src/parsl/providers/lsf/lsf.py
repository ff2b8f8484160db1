"""The provider for IBM Spectrum LSF."""

from __future__ import annotations

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.batch.checks import word
from parsl.providers.batch.template import template_beside
from parsl.providers.batch.walltime import format_minutes
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.lsf.dialect import LSFDialect
from parsl.providers.retired import accepts_retired_provider_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.launchers.base import Launcher
    from parsl.providers.batch.dialect import Dialect
    from parsl.providers.batch.job_files import JobFiles

_DEFAULT_LAUNCHER = SingleNodeLauncher()


class LSFProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of LSF.

    A block is asked for as so many nodes, or, with ``request_by_nodes=False``, as so many cores.

    Args:
        nodes_per_block: Nodes of one block.
        cores_per_block: Cores of one block, if it is asked for by cores.
        cores_per_node: Cores on each node, if it is asked for by cores.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        parallelism: Slots to have for each task, from 0 to 1.
        walltime: How long a block may run: ``HH:MM:SS``, ``HH:MM`` or minutes.
        scheduler_options: Further lines for the job script, such as ``"#BSUB -alloc_flags smt4"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        project: The project to charge.
        queue: The queue to submit to; None for the default.
        cmd_timeout: How long to wait for a command of the scheduler, in seconds.
        bsub_redirection: Whether bsub is given the job script on its standard input, as most sites want it.
        request_by_nodes: Whether a block is asked for as nodes, not as cores.
        launcher: Starts the managers on the nodes.
    """

    walltime_bare_unit = "minute"
    walltime_pair_unit = "hour"

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
        launcher: Launcher = _DEFAULT_LAUNCHER,
    ) -> None:
        super().__init__(
            "LSF",
            nodes_per_block,
            init_blocks,
            min_blocks,
            max_blocks,
            parallelism,
            walltime,
            launcher,
            cmd_timeout=cmd_timeout,
        )
        self.project = word(self, "project", project)
        self.queue = word(self, "queue", queue)
        self.cores_per_block = validate.integer(
            self, "cores_per_block", cores_per_block, low=1, optional=True
        )
        self.cores_per_node = validate.integer(self, "cores_per_node", cores_per_node, low=1, optional=True)
        self.bsub_redirection = validate.boolean(self, "bsub_redirection", bsub_redirection)
        self.request_by_nodes = validate.boolean(self, "request_by_nodes", request_by_nodes)
        self.scheduler_options = validate.text(self, "scheduler_options", scheduler_options)
        self.worker_init = validate.text(self, "worker_init", worker_init)
        if not request_by_nodes:
            self._take_nodes_from_cores()
        self._dialect = LSFDialect(self.bsub_redirection)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.lsf") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def template_path(self) -> str:
        return template_beside(__file__)

    def template_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "walltime": format_minutes(self.walltime_s),
            "project": self.project,
            "queue": self.queue,
            "nodes": str(self.nodes_per_block) if self.request_by_nodes else None,
            "cores_per_block": None if self.request_by_nodes else str(self.cores_per_block),
            "cores_per_node": None if self.request_by_nodes else str(self.cores_per_node),
        }

    def _take_nodes_from_cores(self) -> None:
        for name in ("cores_per_block", "cores_per_node"):
            if getattr(self, name) is None:
                validate.wrong_value(
                    self,
                    name,
                    None,
                    "an integer >= 1, as the block is asked for by cores (request_by_nodes=False)",
                )
        cores_per_block, cores_per_node = self.cores_per_block or 1, self.cores_per_node or 1
        self.nodes_per_block = -(-cores_per_block // cores_per_node)
