"""The executor for ensembles of MPI programs: a task gets nodes of a block, and starts a program on them."""

from __future__ import annotations

import os
import platform
from collections import deque
from collections.abc import Callable
from typing import Any

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.errors import ConfigurationError
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver import parameters
from parsl.executors.high_throughput.driver.launch_commands import is_default
from parsl.executors.high_throughput.driver.resource_specification import (
    COMMON_KEYS,
    MPI_KEYS,
    Requirements,
    complete_resources,
)
from parsl.executors.high_throughput.driver.tasks import HTEXFuture
from parsl.executors.high_throughput.executor import HighThroughputExecutor
from parsl.executors.high_throughput.mpi_prefix_composer import VALID_LAUNCHERS
from parsl.executors.high_throughput.node import node_list
from parsl.executors.high_throughput.wire.protocol import ManagerInfo
from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from parsl.providers.base import ExecutionProvider

#: Workers only wait for the programs that they have started: any number fits on a node.
_CORES_PER_WORKER = 1e-9


class MPIExecutor(HighThroughputExecutor):
    """Runs tasks of one or more nodes, which it packs onto the nodes of blocks.

    A node runs one task at a time, unless max_ranks_per_node is given. A block has one manager, on its first
    node. A task runs in one of the manager's workers and starts its program with ``$PARSL_MPI_PREFIX``, which
    names the task's nodes. The size of a task is in its ``parsl_resource_specification``: num_nodes,
    ranks_per_node, num_ranks (two of them determine the third) and launcher_options; priority as for a
    HighThroughputExecutor.

    Args:
        max_workers_per_block: Maximum number of tasks that run in a block at once.
        mpi_launcher: What ``$PARSL_MPI_PREFIX`` is for: mpiexec, srun or aprun.
        prefetch_capacity: Accepted; tasks wait where all nodes are known.
        max_launches_per_block: After this many tasks a block accepts no more, and is cancelled when they have
            ended; another one takes its place. For machines with a limit on launches in a job.
        max_ranks_per_node: Maximum number of ranks on a node. Tasks of one node then share nodes while their
            ranks fit; their programs must not be bound to the same CPUs. None for one task at a time.
        others: As for a HighThroughputExecutor. The provider's launcher has to be a SimpleLauncher.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    enable_mpi_mode = True
    _resource_keys = COMMON_KEYS | MPI_KEYS

    max_workers_per_block = validate.Integer(low=1)
    mpi_launcher = validate.Choice(VALID_LAUNCHERS)
    max_launches_per_block = validate.Integer(low=1, optional=True)
    max_ranks_per_node = validate.Integer(low=1, optional=True)

    @parameters.accepts_retired_mpi_arguments
    @parameters.inherits_parameters(
        HighThroughputExecutor.__init__,
        replaced={
            "cores_per_worker": None,
            "mem_per_worker": None,
            "max_workers_per_node": "max_workers_per_block",
            "cpu_affinity": None,
            "available_accelerators": None,
            "manager_selector": "mpi_launcher",
            "enforce_mem_per_worker": "max_launches_per_block",
        },
    )
    def __init__(
        self,
        label: str = "MPIExecutor",
        provider: ExecutionProvider | None = None,
        *,
        max_workers_per_block: int = 1,
        mpi_launcher: str = "mpiexec",
        encrypted: bool = False,
        max_launches_per_block: int | None = None,
        max_ranks_per_node: int | None = None,
        **others: Unpack[parameters.InheritedOptions],
    ) -> None:
        validate.assign(self, locals())
        from parsl.launchers import SimpleLauncher
        from parsl.providers import LocalProvider

        super().__init__(
            label=label,
            provider=LocalProvider(launcher=SimpleLauncher()) if provider is None else provider,
            cores_per_worker=_CORES_PER_WORKER,
            max_workers_per_node=self.max_workers_per_block,
            encrypted=encrypted,
            **others,
        )
        launcher = getattr(self.provider, "launcher", None)
        if not isinstance(launcher, SimpleLauncher):
            expected = "SimpleLauncher(): a block has one manager; its tasks start programs on other nodes"
            validate.wrong_type(self, "provider.launcher", launcher, expected)

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._max_nodes = _nodes_per_block(self, self.provider)
        #: Tasks that were sent before the number of nodes of a block was known, and what they request.
        self._unchecked: deque[tuple[HTEXFuture, dict[str, Any]]] = deque()

    def _pool_settings(self) -> WorkerPoolSettings:
        from msgspec.structs import replace

        return replace(
            super()._pool_settings(),
            prefetch=0,
            mpi_launcher=self.mpi_launcher,
            nodes_per_block=getattr(self.provider, "nodes_per_block", 1),
            max_launches=self.max_launches_per_block,
            shared_ranks=self.max_ranks_per_node or 0,
        )

    def _is_local(self) -> bool:
        """Return whether the managers, of which a block has one, can only run on this host."""
        from parsl.providers import LocalProvider

        return type(self.provider) is LocalProvider and is_default(self.launch_cmd)

    @property
    def workers_per_node(self) -> int:
        """How many tasks a block runs at once: its workers are all on one node."""
        return self.max_workers_per_block

    workers_per_block = workers_per_node

    def monitor_resources(self) -> bool:
        """Return whether tasks can be measured: not those that run on other nodes."""
        return False

    # Tasks

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HTEXFuture:
        """Send a task to the workers; the specification contains its size, as described for the class."""
        was_known = self._max_nodes is not None
        future = super().submit(func, resource_specification, *args, **kwargs)
        if not was_known:
            self._unchecked.append((future, resource_specification))
            self._check_sizes()
        return future

    def _check_sizes(self) -> None:
        """Refuse the tasks that turn out to be too large for any block, once the size of blocks is known."""
        while self._max_nodes is not None:
            try:
                future, resources = self._unchecked.popleft()
            except IndexError:
                return
            try:
                complete_resources(resources, self._max_nodes)
            except InvalidResourceSpecification as error:
                self.engine.connection.reject(future.parsl_executor_task_id, error)

    def manager_connected(self, info: ManagerInfo) -> None:
        """Learn from the first manager how many nodes a block has."""
        if self._max_nodes is None:
            self._max_nodes = info.nodes
            self._check_sizes()
        super().manager_connected(info)

    def validate_resource_spec(self, resource_specification: dict[str, Any]) -> None:
        """Check what a task requests, its size included."""
        super().validate_resource_spec(resource_specification)
        complete_resources(resource_specification, self._max_nodes, self.max_ranks_per_node)

    def _requirements(self, specification: dict[str, Any]) -> Requirements:
        if not specification:
            self.validate_resource_spec(specification)
        requirements = super()._requirements(specification) or Requirements()
        return requirements._replace(resources=complete_resources(specification))


def _nodes_per_block(owner: object, provider: Any) -> int | None:
    """Return how many nodes a task can request; None if that is only known in the block."""
    from parsl.providers import LocalProvider

    nodes_per_block: int = getattr(provider, "nodes_per_block", 1)
    if type(provider) is not LocalProvider:
        return nodes_per_block
    variables = (node_list.NODE_FILE_VARIABLE, *node_list.SLURM_VARIABLES)
    if any(variable in provider.worker_init for variable in variables):
        return None
    if not any(os.environ.get(variable) for variable in variables):
        return nodes_per_block
    if provider.max_blocks > 1:
        expected = "1: every block of a LocalProvider would use the same nodes, those of this job"
        validate.wrong_value(owner, "provider.max_blocks", provider.max_blocks, expected)
    try:
        return max(nodes_per_block, len(node_list.read_nodes(os.environ, platform.node())))
    except node_list.NoNodes as error:
        raise ConfigurationError(str(error)) from error


pass_on_upstream_names(__name__)
