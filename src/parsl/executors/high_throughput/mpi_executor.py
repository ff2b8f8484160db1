"""The executor for ensembles of MPI programs: a task gets nodes of a block, and starts its program there."""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Callable
from typing import Any

from parsl import validate
from parsl.errors import ConfigurationError
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.client import HTEXFuture
from parsl.executors.high_throughput.driver.engine_settings import EngineSettings
from parsl.executors.high_throughput.driver.parameters import accepts_retired_mpi_arguments
from parsl.executors.high_throughput.driver.resource_specification import MPI_KEYS, complete_resources
from parsl.executors.high_throughput.executor import HighThroughputExecutor
from parsl.executors.high_throughput.mpi_prefix_composer import VALID_LAUNCHERS
from parsl.executors.high_throughput.node.node_list import (
    NODE_FILE_VARIABLE,
    SLURM_VARIABLES,
    NoNodes,
    read_nodes,
)
from parsl.executors.high_throughput.wire.protocol import ManagerJoined, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.executors.status_handling import BlockProviderExecutor
    from parsl.providers.base import ExecutionProvider
    from parsl.vocabulary.job_states import JobStatus

#: Workers only wait for the programs that they have started: any number fits on a node.
_CORES_PER_WORKER = 1e-9


class MPIExecutor(HighThroughputExecutor):
    """Runs tasks of one or more nodes: packs them onto the nodes of blocks, each node to one task at a time.

    A block has one manager, on its first node. A task runs in one of the manager's workers and starts its
    program with ``$PARSL_MPI_PREFIX``, which names the nodes that the task was given. It says how large it is
    with ``parsl_resource_specification``: num_nodes, ranks_per_node, num_ranks (two of them determine the
    third) and launcher_options; priority as for a HighThroughputExecutor.

    Args:
        max_workers_per_block: most tasks that run in a block at once.
        mpi_launcher: what ``$PARSL_MPI_PREFIX`` is for: mpiexec, srun or aprun.
        prefetch_capacity: accepted; tasks wait where all nodes are known.
        max_launches_per_block: after so many tasks a block takes no more, and is given back when they have
            ended; another one takes its place. For machines with a limit on launches in a job.
        others: as for a HighThroughputExecutor. The provider's launcher has to be a SimpleLauncher.

    Raises: ParameterError for a wrong parameter.
    """

    _resource_keys = HighThroughputExecutor._resource_keys | MPI_KEYS
    enable_mpi_mode = True

    @accepts_retired_mpi_arguments
    def __init__(
        self,
        label: str = "MPIExecutor",
        provider: ExecutionProvider | None = None,
        launch_cmd: str | None = None,
        interchange_launch_cmd: Sequence[str] | None = None,
        address: str | None = None,
        loopback_address: str = "127.0.0.1",
        worker_port: int | None = None,
        worker_port_range: tuple[int, int] | None = (54000, 55000),
        interchange_port_range: tuple[int, int] | None = (55000, 56000),
        storage_access: list[Any] | None = None,
        working_dir: str | None = None,
        worker_debug: bool = False,
        max_workers_per_block: int = 1,
        prefetch_capacity: int = 0,
        heartbeat_threshold: int = 120,
        heartbeat_period: int = 30,
        drain_period: int | None = None,
        poll_period: int = 10,
        address_probe_timeout: int | None = None,
        worker_logdir_root: str | None = None,
        mpi_launcher: str = "mpiexec",
        block_error_handler: bool | Callable[[BlockProviderExecutor, dict[str, JobStatus]], None] = True,
        encrypted: bool = False,
        remote_monitoring_radio: Any = None,
        max_launches_per_block: int | None = None,
    ) -> None:
        super().__init__(
            label=label,
            provider=_default_provider() if provider is None else provider,
            launch_cmd=launch_cmd,
            interchange_launch_cmd=interchange_launch_cmd,
            address=address,
            loopback_address=loopback_address,
            worker_port=worker_port,
            worker_port_range=worker_port_range,
            interchange_port_range=interchange_port_range,
            storage_access=storage_access,
            working_dir=working_dir,
            worker_debug=worker_debug,
            cores_per_worker=_CORES_PER_WORKER,
            max_workers_per_node=validate.integer(
                self, "max_workers_per_block", max_workers_per_block, low=1
            ),
            prefetch_capacity=prefetch_capacity,
            heartbeat_threshold=heartbeat_threshold,
            heartbeat_period=heartbeat_period,
            drain_period=drain_period,
            poll_period=poll_period,
            address_probe_timeout=address_probe_timeout,
            worker_logdir_root=worker_logdir_root,
            block_error_handler=block_error_handler,
            encrypted=encrypted,
            remote_monitoring_radio=remote_monitoring_radio,
        )
        self.max_workers_per_block = int(max_workers_per_block)
        self.mpi_launcher = validate.choice(self, "mpi_launcher", mpi_launcher, VALID_LAUNCHERS)
        self.max_launches_per_block = validate.integer(
            self, "max_launches_per_block", max_launches_per_block, low=1, optional=True
        )
        _check_launcher(self, self.provider)
        self._most_nodes = _nodes_per_block(self, self.provider)
        #: Tasks that were sent before anybody knew how many nodes a block has, and what they asked for.
        self._unchecked: deque[tuple[HTEXFuture, dict[str, Any]]] = deque()

    def _engine_settings(self) -> EngineSettings:
        from msgspec.structs import replace

        return replace(
            super()._engine_settings(),
            prefetch=0,
            mpi_launcher=self.mpi_launcher,
            nodes_per_block=getattr(self.provider, "nodes_per_block", 1),
            max_launches=self.max_launches_per_block,
        )

    def _is_local(self) -> bool:
        """Whether the managers, of which a block has one, can only be on this host."""
        from parsl.providers import LocalProvider

        return type(self.provider) is LocalProvider and not self.launch_cmd

    @property
    def workers_per_node(self) -> int:
        """How many tasks a block runs at once: its workers are all on one node."""
        return self.max_workers_per_block

    @property
    def workers_per_block(self) -> int:
        """How many tasks a block runs at once."""
        return self.max_workers_per_block

    def monitor_resources(self) -> bool:
        """Whether tasks can be measured: what they start is on other nodes."""
        return False

    # Tasks

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HTEXFuture:
        """Send a task to the workers.

        Args:
            func: what to call.
            resource_specification: how large the task is, as described for the class; and may have `priority`
                (lower runs first) and `walltime_s` (seconds).

        Raises: InvalidResourceSpecification, SerializationError, BadStateException.
        """
        if not resource_specification:
            self.validate_resource_spec({})
        was_known = self._most_nodes is not None
        future = super().submit(func, resource_specification, *args, **kwargs)
        if not was_known:
            self._unchecked.append((future, resource_specification))
            self._check_sizes()
        return future

    def _check_sizes(self) -> None:
        """Refuse the tasks that turn out to be too large for any block, as soon as that is known."""
        while self._most_nodes is not None:
            try:
                future, resources = self._unchecked.popleft()
            except IndexError:
                return
            try:
                complete_resources(resources, self._most_nodes)
            except InvalidResourceSpecification as error:
                self._started().client.refuse(future, error)

    def _take_event(self, message: Any) -> None:
        if isinstance(message, ManagerJoined) and self._most_nodes is None:
            self._most_nodes = message.info.nodes
            self._check_sizes()
        super()._take_event(message)

    def validate_resource_spec(self, resource_specification: dict[str, Any]) -> None:
        """Check what a task asks for.

        Raises: InvalidResourceSpecification naming what is wrong.
        """
        super().validate_resource_spec(resource_specification)
        complete_resources(resource_specification, self._most_nodes)

    def _ask(self, task: Task, resources: dict[str, Any]) -> None:
        super()._ask(task, resources)
        task.resources = complete_resources(resources)


def _default_provider() -> ExecutionProvider:
    from parsl.launchers import SimpleLauncher
    from parsl.providers import LocalProvider

    return LocalProvider(launcher=SimpleLauncher())


def _check_launcher(owner: object, provider: Any) -> None:
    from parsl.launchers import SimpleLauncher

    launcher = getattr(provider, "launcher", None)
    if not isinstance(launcher, SimpleLauncher):
        validate.wrong_type(
            owner,
            "provider.launcher",
            launcher,
            "SimpleLauncher(): a block has one manager; its tasks start programs on other nodes themselves",
        )


def _nodes_per_block(owner: object, provider: Any) -> int | None:
    """How many nodes a task can ask for; None when only the block will know."""
    from parsl.providers import LocalProvider

    nodes_per_block: int = getattr(provider, "nodes_per_block", 1)
    if type(provider) is not LocalProvider:
        return nodes_per_block
    variables = (NODE_FILE_VARIABLE, *SLURM_VARIABLES)
    if any(variable in provider.worker_init for variable in variables):
        return None
    if not any(os.environ.get(variable) for variable in variables):
        return nodes_per_block
    _refuse_second_block(owner, provider)
    return max(nodes_per_block, len(_nodes_of_this_job()))


def _nodes_of_this_job() -> list[str]:
    try:
        return read_nodes(os.environ, platform.node())
    except NoNodes as error:
        raise ConfigurationError(str(error)) from error


def _refuse_second_block(owner: object, provider: Any) -> None:
    if provider.max_blocks > 1:
        validate.wrong_value(
            owner,
            "provider.max_blocks",
            provider.max_blocks,
            "1: every block of a LocalProvider would give out the same nodes, those of this job",
        )
