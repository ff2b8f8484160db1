"""The provider for Torque."""

from __future__ import annotations

from collections.abc import Mapping

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import AprunLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.batch.job_script import template_next_to
from parsl.providers.batch.parameters import format_walltime, one_word
from parsl.providers.cluster_provider import ClusterProvider
from parsl.providers.job_files import JobFiles
from parsl.providers.torque.dialect import TorqueDialect


class TorqueProvider(ClusterProvider, RepresentationMixin):
    """Runs each block as a job of Torque.

    Args:
        account: The account to charge.
        queue: The queue to submit to; None for the server's default.
        scheduler_options: Further lines for the job script, such as ``"#PBS -l mem=4gb"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        nodes_per_block: Nodes of one block.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        launcher: Starts the managers on the nodes.
        walltime: The time limit of a block: ``HH:MM:SS``, ``MM:SS`` or seconds.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
    """

    account = validate.Custom(one_word)
    queue = validate.Custom(one_word)
    dialect = TorqueDialect()
    header_path = template_next_to(__file__, "header.sh")

    @accepts_retired_provider_arguments
    def __init__(
        self,
        account: str | None = None,
        queue: str | None = None,
        scheduler_options: str = "",
        worker_init: str = "",
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        launcher: Launcher = AprunLauncher(),
        walltime: str = "00:20:00",
        cmd_timeout: float = 120,
    ) -> None:
        self._configure("torque", locals())

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.torque") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "queue": self.queue,
            "account": self.account,
            "walltime": format_walltime(self.walltime_s),
            "resources": self._resources(tasks_per_node),
        }

    def _resources(self, tasks_per_node: int) -> str:
        return f"nodes={self.nodes_per_block}:ppn={tasks_per_node}"
