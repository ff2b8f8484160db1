"""The provider for Grid Engine."""

from __future__ import annotations

import logging
import re

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.batch.checks import word
from parsl.providers.batch.template import template_beside
from parsl.providers.batch.walltime import format_walltime
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.grid_engine.dialect import GridEngineDialect
from parsl.providers.retired import accepts_retired_provider_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.launchers.base import Launcher
    from parsl.providers.batch.dialect import Dialect
    from parsl.providers.batch.job_files import JobFiles

logger = logging.getLogger(__name__)

_DEFAULT_LAUNCHER = SingleNodeLauncher()
_DIALECT = GridEngineDialect()
_PARALLEL_ENVIRONMENT = re.compile(r"^#\$.*\s-pe\s", re.MULTILINE)


class GridEngineProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Grid Engine.

    Grid Engine counts slots, not nodes: for a block of more than one, ``scheduler_options`` names a
    parallel environment, as in ``"#$ -pe mpi 64"``.

    Args:
        nodes_per_block: Nodes of one block.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        parallelism: Slots to have for each task, from 0 to 1.
        walltime: How long a block may run: ``HH:MM:SS``, ``MM:SS`` or seconds.
        scheduler_options: Further lines for the job script, such as ``"#$ -l mem_free=4G"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        launcher: Starts the managers on the nodes.
        cmd_timeout: How long to wait for a command of the scheduler, in seconds.
        queue: The queue to submit to; None for any.
    """

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        walltime: str = "00:10:00",
        scheduler_options: str = "",
        worker_init: str = "",
        launcher: Launcher = _DEFAULT_LAUNCHER,
        cmd_timeout: float = 60,
        queue: str | None = None,
    ) -> None:
        super().__init__(
            "grid_engine",
            nodes_per_block,
            init_blocks,
            min_blocks,
            max_blocks,
            parallelism,
            walltime,
            launcher,
            cmd_timeout=cmd_timeout,
        )
        self.scheduler_options = validate.text(self, "scheduler_options", scheduler_options)
        self.worker_init = validate.text(self, "worker_init", worker_init)
        self.queue = word(self, "queue", queue)
        if self.nodes_per_block > 1 and not _PARALLEL_ENVIRONMENT.search(self.scheduler_options):
            logger.warning(
                "GridEngineProvider: nodes_per_block is %d, but scheduler_options name no parallel "
                "environment (#$ -pe NAME SLOTS): Grid Engine gives such a job a single slot",
                self.nodes_per_block,
            )

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.sge") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return _DIALECT

    def template_path(self) -> str:
        return template_beside(__file__)

    def template_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {"queue": self.queue, "walltime": format_walltime(self.walltime_s)}
