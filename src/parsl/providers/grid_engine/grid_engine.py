"""The provider for Grid Engine."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_walltime, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.grid_engine.dialect import GridEngineDialect
from parsl.providers.job_files import JobFiles

logger = logging.getLogger(__name__)

_PARALLEL_ENVIRONMENT = re.compile(r"^#\$.*\s-pe\s", re.MULTILINE)


class GridEngineProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Grid Engine.

    Grid Engine counts slots, not nodes: for a block of several nodes, ``scheduler_options`` has to name a
    parallel environment, as in ``"#$ -pe mpi 64"``.

    Args:
        nodes_per_block: Nodes of one block.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        walltime: The time limit of a block: ``HH:MM:SS``, ``MM:SS`` or seconds.
        scheduler_options: Further lines for the job script, such as ``"#$ -l mem_free=4G"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        launcher: Starts the managers on the nodes.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
        queue: The queue to submit to; None for any.
    """

    queue = validate.Custom(one_word)
    dialect = GridEngineDialect()
    header_path = template_next_to(__file__, "header.sh")

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
        launcher: Launcher = SingleNodeLauncher(),
        cmd_timeout: float = 60,
        queue: str | None = None,
    ) -> None:
        self._configure("grid_engine", locals())
        if self.nodes_per_block > 1 and not _PARALLEL_ENVIRONMENT.search(self.scheduler_options):
            logger.warning(
                "GridEngineProvider: nodes_per_block is %d, but scheduler_options name no parallel "
                "environment (#$ -pe NAME SLOTS): Grid Engine gives such a job a single slot",
                self.nodes_per_block,
            )

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.sge") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {"queue": self.queue, "walltime": format_walltime(self.walltime_s)}
