"""The executor that runs tasks in a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from importlib import import_module
from itertools import chain, repeat
from math import inf
from types import ModuleType
from typing import Any

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_storage_access
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.engines.errors import import_engine
from parsl.executors.engines.executor import EngineTask
from parsl.executors.engines.kept_results import KeepingExecutor, KeptResults, OnFetched
from parsl.executors.engines.remote_call import run_call
from parsl.executors.engines.requests import Node, Request, check_amounts
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.ray import multi_node
from parsl.executors.ray.blocks import BlockNodes, node_command, node_name
from parsl.executors.ray.connection import Connection, join
from parsl.executors.ray.failures import translate
from parsl.executors.ray.nodes import NodeTable
from parsl.executors.ray.remote_values import TWO_RESULTS, run_and_keep, run_and_keep_bytes
from parsl.executors.ray.requests import NO_RETRIES, options_key, task_options
from parsl.executors.ray.submission import Submission
from parsl.executors.ray.target import Target
from parsl.executors.status_handling import BlockErrorHandler
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.run_observer import Accounting

logger = logging.getLogger(__name__)

#: For more nodes than this, requests are compared with this number.
MAX_NODES = 10_000
#: What a task requests without a specification.
ONE_CORE = Request(cores=1)
REMEDY = "pip install 'parsl[ray]'"


def _check_options(executor: object, name: str, value: Any) -> Mapping[str, Any]:
    value = {} if value is None else value
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        validate.wrong_type(executor, name, value, 'a dict, such as {"runtime_env": {...}}')
    return value


class RayExecutor(KeepingExecutor, RepresentationMixin):
    """Runs tasks in a Ray cluster: an existing one, one on this machine, or one in blocks of a provider.

    If the script has initialised Ray before, the executor uses that and does not shut it down. Tasks may
    request ``cores``, ``gpus``, ``memory`` (MB), ``resources`` and ``num_nodes``; a task with ``num_nodes``
    holds that many different nodes, whose names are in ``$PARSL_MPI_NODELIST``. Queued and running tasks can
    be cancelled.

    Args:
        label: The name by which apps choose this executor.
        address: An existing cluster: ``"auto"``, ``"host:port"`` or ``"ray://host:port"``; None to start
            one, on this machine or with a provider.
        provider: Where the nodes of a new cluster come from. Its head is next to the driver, and runs no
            tasks.
        num_cpus: Number of cores that a new cluster on this machine, or each node of a block, has for tasks;
            None for all.
        num_gpus: The same for GPUs; None for those that Ray finds.
        resources: Further resources and their amounts, likewise.
        head_address: The address of this machine at which nodes of blocks reach the head; None for that of
            the default route.
        can_grow: Whether the cluster has an autoscaler, which may start nodes of other kinds: then no request
            is refused.
        task_events: Whether Ray records the tasks for its own dashboard and ``ray list tasks``. Parsl records
            them anyway.
        init_options: Further arguments of ``ray.init``, such as ``{"runtime_env": {...}}``.
        start_options: Further options of ``ray start`` in blocks, as shell text.
        block_error_handler: What to do about failing blocks; True for giving up when they all fail.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to; None for the current directory.
        keep_results: Whether results of 1 MB or more stay in Ray's object store until they are needed
            elsewhere. They are lost with their nodes.

    Raises:
        ParameterError: A parameter is not allowed.
        ConfigurationError: There are an address and a provider, or amounts for an existing cluster.
    """

    engine = "Ray"
    request_keys = frozenset({"cores", "gpus", "memory", "num_nodes", "resources"})

    label = validate.Text(allow_empty=False, one_line=True)
    address = validate.Text(allow_empty=False, one_line=True, optional=True)
    num_cpus = validate.Integer(low=0, optional=True)
    num_gpus = validate.Integer(low=0, optional=True)
    resources = validate.Custom(check_amounts)
    head_address = validate.Text(allow_empty=False, one_line=True, optional=True)
    can_grow = validate.Boolean()
    task_events = validate.Boolean()
    init_options = validate.Custom(_check_options)
    start_options = validate.Text()
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(allow_empty=False, optional=True)

    def __init__(
        self,
        label: str = "ray",
        address: str | None = None,
        provider: ExecutionProvider | None = None,
        num_cpus: int | None = None,
        num_gpus: int | None = None,
        resources: Mapping[str, float] | None = None,
        head_address: str | None = None,
        can_grow: bool = False,
        task_events: bool = False,
        init_options: Mapping[str, Any] | None = None,
        start_options: str = "",
        block_error_handler: bool | BlockErrorHandler = True,
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
        keep_results: bool = True,
    ) -> None:
        super().__init__(provider=provider, block_error_handler=block_error_handler)
        validate.assign(self, locals())
        self._refuse_contradictions()
        self._forget_connection()

    def _refuse_contradictions(self) -> None:
        given = [name for name in ("num_cpus", "num_gpus", "resources") if getattr(self, name)]
        if self.address is not None and self.provider is not None:
            given.append("provider")
        if self.address is not None and given:
            raise ConfigurationError(
                f"RayExecutor {self.label!r}: {', '.join(given)} cannot have an effect on the existing "
                f"cluster at {self.address}. Omit the address to start a cluster, or the other parameters"
            )

    def _forget_connection(self) -> None:
        self._connection: Connection | None = None
        self._kept = None
        self._submissions: dict[object, Submission] = {}
        self._has_cores = False

    def prepare_restart(self) -> None:
        """Forget the run that has ended."""
        super().prepare_restart()
        self._forget_connection()

    # Connecting

    def connect(self) -> None:
        """Connect to the cluster, or start one. See the base class for errors."""
        self._ray: ModuleType = import_engine("ray", type(self).__name__, REMEDY)
        self._connection = connection = join(self, self._ray, self._head(), self.set_bad_state_and_fail_all)
        self._kept = KeptResults(self)
        self._nodes = NodeTable(self._ray.nodes)
        self._block_nodes = BlockNodes(self.label)
        self._options = {**NO_RETRIES, "enable_task_events": self.task_events}
        self._run: Callable[..., Any] = run_call
        if self.keep_results:
            self._run = run_and_keep_bytes if connection.target.is_client else run_and_keep
            self._options.update(TWO_RESULTS)

    def _head(self) -> Target:
        """Return what to connect to; with a provider, a head that runs no tasks."""
        if self.provider is None:
            return self._target()
        directory = os.path.join(self.run_dir, self.label)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.prepare_provider(directory)
        return Target(
            host=self._host(),
            token_file=os.path.join(self.run_dir, "ray-token"),  # the same for all executors of the run
            num_cpus=0,
            num_gpus=0,
            options=self.init_options,
        )

    def _target(self) -> Target:
        return Target(
            address=self.address,
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            resources=self.resources,
            options=self.init_options,
        )

    def _host(self) -> str:
        if self.head_address is not None:
            return self.head_address
        from parsl.addresses import get_any_address

        return get_any_address()

    def disconnect(self) -> None:
        """Disconnect, and end a cluster that was started."""
        connection = self._connection
        if connection is None:
            return
        if self._kept is not None:
            self._kept.close()
        self._connection = None
        connection.leave(self)

    # Tasks

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests; a task that does not request cores needs one, as usual with Ray."""
        if not specification and self._has_cores:
            return ONE_CORE
        request = super().read_request(specification)
        if not specification:
            self.check_capacity(ONE_CORE, {"cores": 1})
            self._has_cores = any(node.cores >= 1 for node in self.nodes())
        return request

    def check_capacity(self, request: Request, specification: dict[str, Any]) -> None:
        """Refuse a request that no node can satisfy, not even one that has just joined."""
        if request.cores is None:
            request = request._replace(cores=1)
        try:
            super().check_capacity(request, specification)
        except InvalidResourceSpecification:
            self._nodes.fetch()
            super().check_capacity(request, specification)

    def nodes(self) -> Iterable[Node]:
        """Return what the nodes of the cluster have; with a provider, those of further blocks, too."""
        if self.can_grow:
            return ()
        nodes = self._nodes.get()
        if self.provider is None:
            return (node.capacity for node in nodes)
        here = [node.capacity for node in nodes if self._block_nodes.belongs(node)]
        further = here[:1] or self._stated_node()
        most = int(min(self.provider.max_blocks * self.provider.nodes_per_block, MAX_NODES))
        return chain(here, *(repeat(node, max(0, most - len(here))) for node in further))

    def _stated_node(self) -> list[Node]:
        """Return what each node of a block will have, if the parameters say so."""
        if self.num_cpus is None:
            return []
        gpus = inf if self.num_gpus is None else self.num_gpus
        return [Node(cores=self.num_cpus, gpus=gpus, resources=self.resources)]

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Hand a call to Ray."""
        connection, kept = self._connection, self._kept
        assert connection is not None, "the base class refuses tasks before the start"
        assert kept is not None
        packed, handles = call
        with connection.calls:
            self.raise_if_bad()
            try:
                if request.num_nodes is None:
                    references = self._submission_for(request)(packed, *handles)
                else:
                    references = self._start_on_nodes(task, packed, handles, request)
            except ValueError as error:  # such as 1.5 GPUs
                keys = {name for name, value in request._asdict().items() if value}
                raise InvalidResourceSpecification(keys, f"Ray refuses it: {error}") from error
        reference, large = references if self.keep_results else (references, None)
        task.handle = reference
        _call_when_done(reference, partial(kept.deliveries.call, self._settle, task, large))

    def _submission_for(self, request: Request) -> Submission:
        key = options_key(request)
        submission = self._submissions.get(key)
        if submission is None:
            remote = self._ray.remote(**self._options, **task_options(request))
            submission = self._submissions[key] = Submission(self._run, remote)
        return submission

    def _start_on_nodes(
        self, task: EngineTask, packed: bytes, handles: Sequence[Any], request: Request
    ) -> Any:
        group = multi_node.new_group(self._ray, request)
        remote = self._ray.remote(**self._options)(multi_node.run_on_nodes)
        strategy = multi_node.strategy_of(group)
        started = remote.options(scheduling_strategy=strategy, **task_options(request))
        references = started.remote(self._run, packed, *handles)
        task.add_done_callback(partial(self._release, group))
        return references

    def _release(self, group: Any, _: Future[Any]) -> None:
        """Release the nodes of a task, in a thread in which calls of Ray may wait."""
        if self._kept is not None:
            self._kept.deliveries.call(self._remove, group)

    def _remove(self, group: Any) -> None:
        if self._connection is not None and not self.bad_state_is_set:
            multi_node.remove_group(group)

    def _settle(self, task: EngineTask, large: Any, outcome: Any) -> None:
        """End a task.

        Args:
            task: The task.
            large: The reference to its result, if that has stayed in the object store.
            outcome: The bytes of the outcome, or what the attempt has used if the result has stayed, or an
                error of Ray.
        """
        if isinstance(outcome, bytes):
            self.task_done(task, outcome)
        elif isinstance(outcome, tuple):
            if self._kept is not None:
                self._kept.keep(task, large, Accounting(*outcome))
        elif not isinstance(outcome, self._ray.exceptions.TaskCancelledError):
            self.task_failed(task, outcome)
        elif not task.done():
            task.set_cancelled()  # by a user of Ray

    def fetch_kept(self, handle: Any, on_fetched: OnFetched) -> None:
        """Begin to fetch a result from the object store."""

        def pass_on(outcome: Any) -> None:
            is_error = isinstance(outcome, BaseException)
            on_fetched(*((None, outcome) if is_error else (outcome, None)))

        connection = self._connection
        if connection is None:
            raise self._after_shutdown()
        with connection.calls:
            self.raise_if_bad()
            _call_when_done(handle, pass_on)

    def explain(self, error: BaseException) -> BaseException:
        """Return the error for a task: WorkerLost or ManagerLost if Ray has lost one."""
        return super().explain(translate(error, self._ray.exceptions))

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task; Ray ends the worker of a running one."""
        connection = self._connection
        if connection is None or task.handle is None:
            return False
        with connection.calls:
            if connection.is_closed:
                return False
            self._ray.cancel(task.handle, force=True)
        return True

    def current_slots(self) -> int | None:
        """Return how many tasks of one core the cluster, or its nodes in blocks, run at once."""
        if self._connection is None:
            return None
        if self.provider is not None:
            return sum(block.workers for block in self._block_nodes.activity.values())
        return int(sum(node.capacity.cores for node in self._nodes.get()))

    # Blocks

    def launch_command(self, block_id: str) -> str:
        """Return the command that starts a node of a block."""
        connection = self._connection
        assert connection is not None, "blocks are open while the executor is connected"
        token_file = None if connection.session is None else connection.session.token_file
        name = node_name(self.label, block_id)
        return node_command(self._target(), connection.gcs_address, name, token_file, self.start_options)

    @property
    def workers_per_node(self) -> int | None:
        """How many tasks of one core a node runs at once; None while that is unknown."""
        if self.num_cpus or self._connection is None:
            return self.num_cpus
        seen = self._block_nodes.activity.values()
        return max((block.workers // block.managers for block in seen), default=None)

    def block_activity(self) -> dict[str, BlockActivity] | None:
        """Return what the nodes of each block are doing; fetched if that is older than a second."""
        connection = self._connection
        if connection is None:
            return None
        if not connection.is_closed and self._block_nodes.is_old():
            try:
                self._block_nodes.see(self._nodes.fetch(), self._free(), self._holders())
            except Exception as error:  # the cluster is lost or being shut down, which is handled elsewhere
                logger.debug("Executor %s cannot fetch its nodes: %s", self.label, error)
        return self._block_nodes.activity

    def _free(self) -> Mapping[str, Mapping[str, float]]:
        state = import_module("ray._private.state")
        return state.available_resources_per_node()  # type: ignore[no-any-return]

    def _holders(self) -> set[str]:
        """Return the ids of the nodes that hold results."""
        kept = [] if self._kept is None else self._kept.handles()
        if not kept:
            return set()
        found = import_module("ray.experimental.locations").get_local_object_locations(kept)
        return {node for facts in found.values() for node in facts["node_ids"]}

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Return those of these blocks that still run nothing and hold no results."""
        seen = self._block_nodes.activity
        return [block for block in block_ids if block not in seen or not seen[block].tasks]


def _call_when_done(reference: Any, function: Callable[[Any], None]) -> None:
    """Call a function, in a thread of Ray, with the bytes or the exception that a reference will have."""
    if hasattr(reference, "_on_completed"):  # as future() does, at half the cost
        reference._on_completed(function)
        return

    def pass_on(future: Future[Any]) -> None:
        error = future.exception()
        function(future.result() if error is None else error)

    reference.future().add_done_callback(pass_on)
