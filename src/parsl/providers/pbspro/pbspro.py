"""The provider for PBS Pro and OpenPBS."""

from __future__ import annotations

from parsl import validate
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.batch.template import template_beside
from parsl.providers.batch.walltime import format_walltime
from parsl.providers.pbspro.dialect import PBSProDialect
from parsl.providers.retired import accepts_retired_provider_arguments
from parsl.providers.torque.torque import TorqueProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from parsl.launchers.base import Launcher
    from parsl.providers.batch.dialect import Dialect
    from parsl.providers.batch.job_files import JobFiles

_DEFAULT_LAUNCHER = SingleNodeLauncher()
_DIALECT = PBSProDialect()


class PBSProProvider(TorqueProvider):
    """Runs each block as a job of PBS Pro.

    Args:
        account: The account to charge.
        queue: The queue to submit to; None for the server's default.
        scheduler_options: Further lines for the job script, such as ``"#PBS -l filesystems=home:flare"``.
        select_options: What to ask of each node besides its CPUs, such as ``"ngpus=4"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        nodes_per_block: Nodes of one block.
        cpus_per_node: CPUs to ask for on each node, as PBS counts them: often hardware threads.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        parallelism: Slots to have for each task, from 0 to 1.
        launcher: Starts the managers on the nodes.
        walltime: How long a block may run: ``HH:MM:SS``, ``MM:SS`` or seconds.
        cmd_timeout: How long to wait for a command of the scheduler, in seconds.
    """

    @accepts_retired_provider_arguments
    def __init__(
        self,
        account: str | None = None,
        queue: str | None = None,
        scheduler_options: str = "",
        select_options: str = "",
        worker_init: str = "",
        nodes_per_block: int = 1,
        cpus_per_node: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1,
        launcher: Launcher = _DEFAULT_LAUNCHER,
        walltime: str = "00:20:00",
        cmd_timeout: float = 120,
    ) -> None:
        super().__init__(
            account,
            queue,
            scheduler_options,
            worker_init,
            nodes_per_block,
            init_blocks,
            min_blocks,
            max_blocks,
            parallelism,
            launcher,
            walltime,
            cmd_timeout=cmd_timeout,
        )
        self._label = "pbspro"
        self.select_options = validate.text(self, "select_options", select_options, one_line=True)
        if any(char.isspace() for char in self.select_options.strip()):
            validate.wrong_value(
                self, "select_options", select_options, "no blanks, as in 'ngpus=4:mem=64gb'"
            )
        self.cpus_per_node = validate.integer(self, "cpus_per_node", cpus_per_node, low=1)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str:
        return super().submit(command, tasks_per_node, job_name)

    @property
    def dialect(self) -> Dialect:
        return _DIALECT

    def template_path(self) -> str:
        return template_beside(__file__)

    def template_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        return {
            "queue": self.queue,
            "account": self.account,
            "walltime": format_walltime(self.walltime_s),
            "select": self._select(),
        }

    def _select(self) -> str:
        options = self.select_options.strip().strip(":")
        chunk = f"{self.nodes_per_block}:ncpus={self.cpus_per_node}"
        return f"{chunk}:{options}" if options else chunk
