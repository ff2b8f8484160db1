"""The provider for PBS Pro and OpenPBS."""

from __future__ import annotations

from parsl import validate
from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import accepts_retired_provider_arguments
from parsl.providers.pbspro.dialect import PBSProDialect
from parsl.providers.torque.torque import TorqueProvider


def _check_select_options(owner: object, name: str, value: object) -> str:
    text = validate.text(owner, name, value, one_line=True)
    if any(char.isspace() for char in text.strip()):
        validate.wrong_value(owner, name, value, "no blanks, as in 'ngpus=4:mem=64gb'")
    return text


class PBSProProvider(TorqueProvider):
    """Runs each block as a job of PBS Pro.

    Args:
        account: The account to charge.
        queue: The queue to submit to; None for the server's default.
        scheduler_options: Further lines for the job script, such as ``"#PBS -l filesystems=home:flare"``.
        select_options: Resources to request on each node in addition to CPUs, such as ``"ngpus=4"``.
        worker_init: Shell text to run first, such as the activation of an environment.
        nodes_per_block: Nodes of one block.
        cpus_per_node: CPUs to request on each node, as PBS counts them: often hardware threads.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        parallelism: Slots to provide for each task, from 0 to 1.
        launcher: Starts the managers on the nodes.
        walltime: The time limit of a block: ``HH:MM:SS``, ``MM:SS`` or seconds.
        cmd_timeout: How long a command of the scheduler may take, in seconds.
    """

    select_options = validate.Custom(_check_select_options)
    cpus_per_node = validate.Integer(low=1)
    dialect = PBSProDialect()

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
        launcher: Launcher = SingleNodeLauncher(),
        walltime: str = "00:20:00",
        cmd_timeout: float = 120,
    ) -> None:
        self._configure("pbspro", locals())

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str:
        return super().submit(command, tasks_per_node, job_name)

    def _resources(self, tasks_per_node: int) -> str:
        options = self.select_options.strip().strip(":")
        chunk = f"select={self.nodes_per_block}:ncpus={self.cpus_per_node}"
        return f"{chunk}:{options}" if options else chunk
