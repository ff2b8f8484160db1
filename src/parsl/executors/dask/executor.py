"""The executor that runs tasks in a Dask cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from parsl import validate
from parsl.common.notices import warn_user
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_storage_access
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.dask.traffic import NO_OPTIONS, Call, Options, Traffic
from parsl.executors.dask.workers import GPU, MB, MEMORY, WorkerTable, node_with
from parsl.executors.engines.errors import WaitingTaskWarning, import_engine, waiting_text
from parsl.executors.engines.executor import EngineTask
from parsl.executors.engines.kept_results import KeepingExecutor, KeptResults, OnFetched
from parsl.executors.engines.requests import NO_REQUEST, Node, Request, check_amounts, unsatisfiable
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.provider_facts import runs_on_this_host
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.status_handling import BlockErrorHandler
from parsl.providers.base import ExecutionProvider

#: How long ``cancel`` waits for the scheduler's answer, in seconds.
ANSWER_S = 10.0

#: How many requests are kept until a worker is known.
_MAX_UNCHECKED = 10_000


def _check_cluster(executor: object, name: str, value: Any) -> Any:
    has_address = hasattr(value, "scheduler_address") or hasattr(value, "scheduler_info")
    if value is not None and not isinstance(value, str) and (isinstance(value, type) or not has_address):
        expected = (
            "the address of a scheduler, such as 'tcp://10.0.0.1:8786', a distributed.Client, or a cluster "
            "object, such as LocalCluster(); or None for a cluster in the provider's blocks"
        )
        validate.wrong_type(executor, name, value, expected)
    return value


class DaskExecutor(KeepingExecutor, RepresentationMixin):
    """Runs tasks in a Dask cluster: an existing one, or one in the blocks of a provider.

    A client or a cluster that is passed remains the caller's, and stays open. Tasks that wait for a worker
    can be cancelled. Dask cannot end a running task.

    Args:
        cluster: The address of a scheduler, a ``distributed.Client``, or a cluster object (``LocalCluster``,
            those of dask-jobqueue and dask-kubernetes). None for a cluster of the executor's own: a scheduler
            next to the driver, and workers in the provider's blocks.
        label: The name by which apps choose this executor.
        provider: Where the blocks of the executor's own cluster come from; a LocalProvider if not given.
        security: As ``distributed.Client`` takes it: a ``distributed.Security``, or a dict of its parameters.
            None for that of the cluster, or of Dask's configuration.
        connect_timeout: How long to wait for the scheduler (seconds).
        encrypted: Whether the executor's own cluster uses TLS, with a certificate made for each run.
        address: The address of this host that the scheduler of the executor's own cluster listens on; None
            for the loopback if workers can only run on this host, otherwise that of the default route.
        max_workers_per_node: The number of worker processes on a node of that cluster; None for as many as
            the node has CPUs for.
        threads_per_worker: How many tasks a worker of that cluster runs at once, in threads.
        mem_per_worker: Memory for each worker of that cluster (GB); None for an equal share of the node's.
        worker_resources: Abstract resources of each worker of that cluster, such as ``{"GPU": 1}``.
        worker_options: Further words for ``dask worker``, such as ``["--preload", "site_setup"]``.
        keep_results: Whether results of 1 MB or more stay on the workers of the cluster until they are needed
            elsewhere. They are lost with these workers.
        block_error_handler: As for HighThroughputExecutor.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to; None for the current directory.

    Raises:
        ParameterError: A parameter is not allowed.
        ConfigurationError: Parameters contradict each other.
    """

    engine = "Dask"
    request_keys = frozenset({"cores", "memory", "gpus", "resources", "priority"})

    cluster = validate.Custom(_check_cluster)
    label = validate.Text(allow_empty=False, one_line=True)
    connect_timeout = validate.Number(above=0)
    encrypted = validate.Boolean()
    address = validate.Text(optional=True, allow_empty=False, one_line=True)
    max_workers_per_node = validate.Integer(low=1, optional=True)
    threads_per_worker = validate.Integer(low=1)
    mem_per_worker = validate.Number(above=0, optional=True)
    worker_resources = validate.Custom(check_amounts)
    worker_options = validate.ListOf(str)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Text(allow_empty=False, optional=True)

    def __init__(
        self,
        cluster: Any = None,
        label: str = "dask",
        provider: ExecutionProvider | None = None,
        security: Any = None,
        connect_timeout: float = 30,
        encrypted: bool = True,
        address: str | None = None,
        max_workers_per_node: int | None = None,
        threads_per_worker: int = 1,
        mem_per_worker: float | None = None,
        worker_resources: Mapping[str, float] | None = None,
        worker_options: Sequence[str] = (),
        block_error_handler: bool | BlockErrorHandler = True,
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
        keep_results: bool = True,
    ) -> None:
        if cluster is not None and provider is not None:
            raise ConfigurationError(
                f"DaskExecutor {label!r} has both a cluster and a provider, which would start another one. "
                "Leave out one of them"
            )
        if cluster is None and provider is None:
            from parsl.providers import LocalProvider

            provider = LocalProvider()
        super().__init__(provider=provider, block_error_handler=block_error_handler)
        worker_options = list(worker_options) if isinstance(worker_options, tuple) else worker_options
        validate.assign(self, locals())
        self.security = security
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._own: Any = None
        self._client: Any = None
        self._traffic: Traffic | None = None
        self._table: WorkerTable | None = None
        self._watch: Any = None
        self._kept = None
        #: The requests of tasks that were submitted before a worker was known.
        self._unchecked: deque[Request] = deque(maxlen=_MAX_UNCHECKED)

    def prepare_restart(self) -> None:
        """Forget the run that has ended."""
        super().prepare_restart()
        self._begin_anew()

    # The connection

    def connect(self) -> None:
        """Connect to the cluster, or start its scheduler."""
        import_engine("distributed", type(self).__name__, "pip install 'parsl[dask]'")
        from parsl.executors.dask import connection

        try:
            target, security = (
                (self.cluster, self.security) if self.cluster is not None else self._start_own()
            )
            self._client = client = connection.connect(self, target, security, self.connect_timeout)
            self._kept = kept = KeptResults(self)
            traffic = Traffic(
                client,
                kept.deliveries,
                on_done=self.task_done,
                on_kept=kept.keep,
                on_failed=self.task_failed,
                on_lost=self._scheduler_lost,
                keeps_results=self.keep_results,
            )
            self._traffic = traffic
            self._table = WorkerTable(client, self._workers_changed)
            self._table.follow()
            self._watch = connection.LossWatch(client, traffic.lost)
            self._watch.start()
        except BaseException:
            self.disconnect()
            raise

    def _start_own(self) -> tuple[str, Any]:
        from parsl.executors.dask.own_cluster import OwnCluster, WorkerSettings

        is_local = runs_on_this_host(self.provider)
        host = self.address or ("127.0.0.1" if is_local else _default_address())
        directory = os.path.join(self.run_dir, self.label)
        self.prepare_provider(directory)
        self._own = OwnCluster(self, directory, host, encrypted=self.encrypted)
        memory_bytes = None if self.mem_per_worker is None else int(self.mem_per_worker * 1e9)
        self._own.start(
            WorkerSettings(
                max_workers=self.max_workers_per_node,
                threads=self.threads_per_worker,
                memory_bytes=memory_bytes,
                resources=self.worker_resources,
                options=self.worker_options,
                host=host if is_local else None,
            )
        )
        return self._own.address, self._own.security

    def disconnect(self) -> None:
        """Close what the executor has opened; a client or a cluster that was given stays open."""
        watch, table, client, traffic, own = self._watch, self._table, self._client, self._traffic, self._own
        kept = self._kept
        with ExitStack() as last_first:
            if own is not None:
                last_first.callback(own.close)
            if kept is not None:
                last_first.callback(kept.close)
            if client is not None:
                from parsl.executors.dask import connection

                last_first.callback(connection.close, client)
            for part in (traffic, table, watch):
                if part is not None:
                    last_first.callback(part.stop)
        self._watch = self._table = self._client = self._traffic = self._own = None

    def _scheduler_lost(self, reason: str) -> None:
        self.set_bad_state_and_fail_all(
            ManagerLost("scheduler", "", f"The Dask cluster of executor {self.label!r} is lost: {reason}")
        )

    # Tasks

    def pack_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the function's name, by which Dask groups tasks, before what the base class returns."""
        return getattr(func, "__name__", "task"), *super().pack_call(func, args, kwargs)

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests, and that a worker can satisfy it.

        Raises:
            InvalidResourceSpecification: It is wrong, or no worker can.
        """
        request = super().read_request(specification)
        if request.cores is not None and request.cores > 1:
            raise InvalidResourceSpecification(
                {"cores"},
                f"cores must be at most 1, not {request.cores:g}: Dask gives each task one thread. To get "
                "more of a worker, declare a resource on the workers, and request it with resources",
            )
        return request

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        """Hand a call to the thread that sends them."""
        name, packed, kept = call
        traffic = self._traffic
        assert traffic is not None
        task.handle = Call(task, name, packed, self._options(request), traffic.topic, kept)
        traffic.send(task.handle)
        if request is not NO_REQUEST and not self.nodes():
            self._unchecked.append(request)
            self._check_requests()

    def fetch_kept(self, handle: Any, on_fetched: OnFetched) -> None:
        """Begin to fetch a result from the cluster, by Dask's future of it."""
        traffic = self._traffic
        if traffic is None:
            raise self._after_shutdown()
        traffic.fetch_kept(handle, on_fetched)

    def _options(self, request: Request) -> Options:
        if request is NO_REQUEST:
            return NO_OPTIONS
        amounts = dict(request.resources)
        if request.gpus:
            amounts[GPU] = request.gpus
        if request.memory and self._declares_memory():
            amounts[MEMORY] = request.memory * MB
        # Dask runs tasks with larger numbers first.
        return Options(-(request.priority or 0), tuple(sorted(amounts.items())))

    def _declares_memory(self) -> bool:
        return any(MEMORY in node.resources for node in self.nodes())

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task unless it has begun to run; the scheduler knows whether it has."""
        traffic = self._traffic
        if traffic is None or task.handle is None:
            return False
        if self._has_ended:
            traffic.abandon(task.handle)
            return True
        return traffic.cancel(task.handle, ANSWER_S)

    def explain(self, error: BaseException) -> BaseException:
        """Return WorkerLost for the task of a worker that has ended."""
        kind = type(error).__name__
        if kind == "KilledWorker" and (worker := getattr(error, "last_worker", None)) is not None:
            return _worker_loss(worker)
        if kind in ("FutureCancelledError", "CancelledError"):
            return self._loss_of(error)
        return super().explain(error)

    def _loss_of(self, error: BaseException) -> BaseException:
        reason = str(getattr(error, "reason", None) or "unknown")
        if reason == "scheduler-restart":
            return ManagerLost("scheduler", "", "The Dask cluster was restarted while it had the task")
        if reason not in ("unknown", "scheduler-connection-lost"):
            return super().explain(error)
        return WorkerLost(
            "unknown", "", "The Dask worker that had the result of the task has ended before it was fetched"
        )

    # What the cluster has

    def nodes(self) -> Iterable[Node]:
        """Return what the workers have; in a cluster of its own without workers yet, what they will have."""
        table = self._table
        if table is not None and table.workers:
            return [worker.node for worker in table.workers.values()]
        changes_amounts = any(
            word.startswith(("--resources", "--memory-limit")) for word in self.worker_options
        )
        if self._own is None or changes_amounts:
            return ()
        return [node_with((self.mem_per_worker or 0) * 1e9, self.worker_resources)]

    def current_slots(self) -> int | None:
        """Return how many tasks the workers run at once."""
        table = self._table
        return None if table is None else sum(worker.threads for worker in table.workers.values())

    def _check_requests(self) -> None:
        """Warn of waiting tasks that no worker can run, once workers are known: others may still join."""
        nodes = list(self.nodes())
        reasons: dict[str, None] = {}
        while nodes and self._unchecked:
            try:
                reasons[unsatisfiable(self._unchecked.popleft(), nodes)] = None
            except IndexError:  # another thread has checked the last one
                break
        for reason in filter(None, reasons):
            warn_user(waiting_text(self, len(nodes), reason), WaitingTaskWarning)

    def _workers_changed(self, new_blocks: set[str], lost: int) -> None:
        self._check_requests()
        if self.provider is None:
            return
        for block_id in new_blocks:
            self.blocks.manager_connected(block_id)
        if lost:
            self.blocks.process_lost()

    # Blocks of the executor's own cluster

    def launch_command(self, block_id: str) -> str:
        """Return the shell command that starts the workers of a block."""
        assert self._own is not None, "only an executor with a provider has blocks"
        command: str = self._own.worker_command(block_id)
        return command

    @property
    def workers_per_node(self) -> int | None:
        """How many tasks a node runs at once; None if each node decides."""
        if self.max_workers_per_node is None:
            return None
        return self.max_workers_per_node * self.threads_per_worker

    def block_activity(self) -> Mapping[str, BlockActivity] | None:
        """Return what the blocks did when the scheduler was last queried, and query it again."""
        table, client = self._table, self._client
        if table is None or client is None:
            return None
        client.loop.add_callback(table.refresh_soon)
        return table.by_block()


def _worker_loss(worker: Any) -> WorkerLost:
    from distributed.comm import get_address_host

    address = worker.address
    host = get_address_host(address)
    return WorkerLost(
        address,
        host,
        f"The Dask worker {worker.name} at {address} has ended while it had the task",
        worker=address,
    )


def _default_address() -> str:
    from parsl.addresses import get_any_address

    return get_any_address()
