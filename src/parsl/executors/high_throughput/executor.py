"""The high-throughput executor: many tasks on many nodes, through one interchange."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from parsl import validate
from parsl.common import descriptors, pass_on_upstream_names
from parsl.common.representation import RepresentationMixin, UsageInformation
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver import launch_commands, parameters, provider_facts
from parsl.executors.high_throughput.driver.activity import as_dict
from parsl.executors.high_throughput.driver.engine import Engine
from parsl.executors.high_throughput.driver.launch import EngineSettings
from parsl.executors.high_throughput.driver.resource_specification import (
    COMMON_KEYS,
    Requirements,
    check_common,
)
from parsl.executors.high_throughput.driver.tasks import HTEXFuture
from parsl.executors.high_throughput.errors import VersionMismatch
from parsl.executors.high_throughput.manager_selector import ManagerSelector, RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import ManagerGone, ManagerInfo, ManagerRefused
from parsl.executors.high_throughput.wire.settings import WorkerPoolSettings
from parsl.executors.high_throughput.worker.payload_call import call_with_payload, read_task_executor
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.logconfigs.roles import pack
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.job_states import JobStatus

logger = logging.getLogger(__name__)

#: The commands of an executor that is given none: what users edit.
DEFAULT_LAUNCH_CMD = launch_commands.DEFAULT_LAUNCH_CMD
DEFAULT_INTERCHANGE_LAUNCH_CMD = launch_commands.DEFAULT_INTERCHANGE_LAUNCH_CMD

#: How long requests to the interchange wait for an answer, in seconds.
ANSWER_TIMEOUT_S = 30.0
#: How long a shutdown waits for a submission in progress, to cancel its job, in seconds.
SUBMISSION_PATIENCE_S = 30.0


class HighThroughputExecutor(
    parameters.DeclaredParameters, BlockProviderExecutor, RepresentationMixin, UsageInformation
):
    """Runs tasks on the workers of blocks, which a provider submits.

    Args:
        label: Name of the executor, by which apps choose it; also its directory in the run directory.
        provider: Where blocks come from; a LocalProvider if not given.
        launch_cmd: Shell command that starts a manager, usually DEFAULT_LAUNCH_CMD with a prefix, such as a
            container's command. It has a field for each flag of process_worker_pool.py; {settings} and
            {block_id} alone are enough. Unless it is edited, managers run in the driver's own Python.
        interchange_launch_cmd: Words of the command that starts the interchange, usually a prefix and
            DEFAULT_INTERCHANGE_LAUNCH_CMD. It must pass inherited descriptors on. Unless it is edited, the
            interchange runs in the driver's own Python.
        address: Address or name under which workers reach the driver's host; all of its addresses if not
            given, and the loopback alone if workers can only run on this host.
        loopback_address: Accepted; the interchange and the driver share a socket pair and need no address.
        worker_port: TCP port for workers; one of the range if not given.
        worker_port_range: First port and the one after the last; None for any free port.
        interchange_port_range: Accepted; no port is needed between driver and interchange.
        storage_access: Staging providers, in order of preference.
        working_dir: Directory that staging puts files into, on the workers.
        worker_debug: Log more, with a log file for each worker.
        cores_per_worker: Cores for each worker; may be a fraction. Workers with accelerators are counted by
            these instead.
        mem_per_worker: Memory for each worker (GB).
        max_workers_per_node: Maximum number of workers on a node; None for as many as fit.
        cpu_affinity: How workers are bound to CPUs: none, block, block-reverse, alternating or
            'list:0-7,104-111:8-15', one group for each worker.
        available_accelerators: Names of the accelerators of a node, or their number; one for a worker.
        prefetch_capacity: Number of tasks that a node holds beyond one for each worker. With short tasks a
            node prefetches even without this.
        heartbeat_threshold: Time without a message after which the other side counts as lost (seconds).
        heartbeat_period: Time between heartbeats (seconds).
        drain_period: Time after which a manager accepts no more tasks, and exits when it has none (seconds).
        poll_period: Accepted; nothing polls.
        address_probe_timeout: Accepted; all addresses are tried at once.
        worker_logdir_root: Directory for the logs of managers and workers; the run directory if not given.
        manager_selector: Which managers get tasks first.
        block_error_handler: What to do about failing blocks; True for giving up when they all fail.
        encrypted: Encrypt and authenticate the connections of managers (CurveZMQ).
        remote_monitoring_radio: How tasks send monitoring messages of their own, such as ``HTEXRadio()``;
            None if they send none. What tasks use is recorded without.
        enforce_mem_per_worker: End a worker that uses more than mem_per_worker together with the processes
            that it has started; its task fails with WorkerOverMemory.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    enforces_walltime = True
    needs_shared_files = False
    enable_mpi_mode = False
    mpi_launcher = "mpiexec"
    _resource_keys = COMMON_KEYS

    @parameters.accepts_retired_htex_arguments
    def __init__(
        self,
        label: str = "HighThroughputExecutor",
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
        cores_per_worker: float = 1.0,
        mem_per_worker: float | None = None,
        max_workers_per_node: int | None = None,
        cpu_affinity: str = "none",
        available_accelerators: int | Sequence[str] = (),
        prefetch_capacity: int = 0,
        heartbeat_threshold: int = 120,
        heartbeat_period: int = 30,
        drain_period: int | None = None,
        poll_period: int = 10,
        address_probe_timeout: int | None = None,
        worker_logdir_root: str | None = None,
        manager_selector: ManagerSelector | None = None,
        block_error_handler: bool | Callable[[BlockProviderExecutor, dict[str, JobStatus]], None] = True,
        encrypted: bool = True,
        remote_monitoring_radio: Any = None,
        enforce_mem_per_worker: bool = False,
    ) -> None:
        if provider is None:
            from parsl.providers import LocalProvider

            provider = LocalProvider()
        parameters.check_provider(self, provider)
        super().__init__(provider=provider, block_error_handler=block_error_handler)
        launch_cmd = DEFAULT_LAUNCH_CMD if launch_cmd is None else launch_cmd
        if interchange_launch_cmd is None:
            interchange_launch_cmd = DEFAULT_INTERCHANGE_LAUNCH_CMD
        if manager_selector is None:
            manager_selector = RandomManagerSelector()
        validate.assign(self, locals())
        if self.enforce_mem_per_worker and self.mem_per_worker is None:
            expected = "False without mem_per_worker, the limit, in GB"
            validate.wrong_value(self, "enforce_mem_per_worker", enforce_mem_per_worker, expected)
        if self.heartbeat_period >= self.heartbeat_threshold:
            expected = f"less than heartbeat_threshold ({heartbeat_threshold})"
            validate.wrong_value(self, "heartbeat_period", heartbeat_period, expected)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._engine: Engine | None = None
        #: How many workers a node will have, once that was needed; 0 if unknown.
        self._expected_workers: int | None = None

    @property
    def logdir(self) -> str:
        """The executor's directory in the run directory."""
        return f"{self.run_dir}/{self.label}"

    @property
    def worker_logdir(self) -> str:
        """Where managers and workers write their logs."""
        if self.worker_logdir_root is not None:
            return f"{self.worker_logdir_root}/{os.path.basename(self.run_dir)}/{self.label}"
        return self.logdir

    def get_usage_information(self) -> dict[str, Any]:
        """Return what usage tracking reports about this executor from level 2 on."""
        return {"mpi": self.enable_mpi_mode}

    # Starting and shutting down

    def start(self) -> None:
        """Start the interchange; returns without waiting for it.

        A kernel submits the first blocks, or a program that uses the executor without one, by
        `scale_out_facade` or a `JobStatusPoller`.

        Raises:
            ConfigurationError: An address or a port cannot be used, or the provider cannot submit blocks.
        """
        if self._engine is not None:
            self.prepare_restart()
        provider = self.provider
        assert provider is not None, "the constructor makes one"
        descriptors.warn_if_few(self.label, provider.max_blocks * provider.nodes_per_block)
        self.observe_for_program()
        self.prepare_provider(self.logdir)
        self._engine = engine = Engine(self._engine_settings(), self, provider)
        engine.start()
        self.launch_command("0")  # an invalid template is an error here, instead of in every block
        self.blocks.open()

    def prepare_restart(self) -> None:
        """Forget the run that has ended, so that the executor can be started again.

        Raises:
            ConfigurationError: That run has not ended.
        """
        if self._engine is not None and not self._engine.is_closed:
            self._refuse_restart()
        super().prepare_restart()
        self._begin_anew()

    def _engine_settings(self) -> EngineSettings:
        return EngineSettings(
            owner=f"{type(self).__name__} {self.label!r}",
            label=self.label,
            log_dir=self.logdir,
            address=self.address,
            is_local=self._is_local(),
            shares_files=self.provider is None or self.provider.shares_files,
            worker_port=self.worker_port,
            worker_port_range=self.worker_port_range,
            encrypted=self.encrypted,
            interchange_command=self.interchange_launch_cmd,
            selector=self.manager_selector,
            reports_dispatch=self.observer.observes_dispatch,
            pool=self._pool_settings(),
        )

    def _pool_settings(self) -> WorkerPoolSettings:
        return WorkerPoolSettings(
            log_dir=self.worker_logdir,
            debug=self.worker_debug,
            log_config=pack(self.log_config),
            heartbeat_period_s=self.heartbeat_period,
            heartbeat_threshold_s=self.heartbeat_threshold,
            drain_period_s=self.drain_period,
            resource_interval_s=self.resource_interval_s,
            cores_per_worker=self.cores_per_worker,
            mem_per_worker_gb=self.mem_per_worker,
            enforces_memory=self.enforce_mem_per_worker,
            max_workers=self.max_workers_per_node,
            prefetch=self.prefetch_capacity,
            cpu_affinity=self.cpu_affinity,
            accelerators=self.available_accelerators,
            node_cpus=provider_facts.cpus_of_node(self.provider),
            keeps_binding=provider_facts.starts_managers_directly(self.provider),
            walltime_s=self._walltime_s,
        )

    def _is_local(self) -> bool:
        """Return whether managers can only run on this host, and share its file system."""
        is_default = launch_commands.is_default(self.launch_cmd)
        return is_default and provider_facts.runs_on_this_host(self.provider)

    def shutdown(self, timeout: float = 10.0) -> None:
        """End everything that was started; tasks that have not ended fail.

        Args:
            timeout: How long to wait for the interchange before it is killed (seconds).
        """
        engine = self._engine
        if engine is None or engine.is_disowned or engine.is_closed:
            return
        self.blocks.cancel_queued()
        self.blocks.wait_for_submissions(SUBMISSION_PATIENCE_S)
        engine.stop()
        self.blocks.cancel_all()
        engine.close(timeout)

    @property
    def engine(self) -> Engine:
        """Everything that `start` has started.

        Raises:
            RuntimeError: The executor has not been started.
        """
        if self._engine is None:
            raise RuntimeError(
                f"{self!r} has not been started: pass it to parsl.load(Config(executors=[...]))"
            )
        return self._engine

    def launch_command(self, block_id: str) -> str:
        """Return the shell command that starts a manager of the block."""
        return self.engine.launch_command(self.launch_cmd, block_id)

    # Tasks

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HTEXFuture:
        """Send a task to the workers.

        Args:
            func: The function to call.
            resource_specification: May contain `priority` (lower runs first), `walltime_s` (time after which
                the task is ended, in seconds) and `runtime_s` (how long the task takes, in seconds: it only
                starts where it can complete).

        Raises:
            InvalidResourceSpecification: The specification is not valid.
            SerializationError: The function or its arguments cannot be pickled.
            BadStateException: The executor has failed for good.
        """
        self.raise_if_bad()
        requirements = self._requirements(resource_specification)
        engine = self._engine or self.engine
        future = engine.sender.send_call(func, args, kwargs, requirements)
        outstanding = len(engine.tasks.pending)
        if outstanding > self.blocks.covered_tasks:
            self.blocks.tasks_added(outstanding)
        return future

    def submit_payload(self, context: dict[str, Any], buffer: bytes) -> HTEXFuture:
        """Send a task that is already pickled.

        Args:
            context: May contain `resource_spec`, as in `submit`, and `task_executor`, a dictionary of
                `f`, the name of a function, as "module.function", and optionally `a` and `k`, a list and a
                dictionary of arguments. A worker imports the function and calls it as
                `function(buffer, *a, **k)`; what it returns is the result.
            buffer: The result of `parsl.serialize.pack_apply_message`. With a `task_executor`, what its
                function takes: bytes, as a rule.

        Raises:
            ParameterError: `task_executor` has another form.
            InvalidResourceSpecification: `resource_spec` is not valid.
        """
        self.raise_if_bad()
        context = context or {}
        requirements = self._requirements(context.get("resource_spec") or {})
        call = read_task_executor(self, context)
        engine = self.engine
        if call is None:
            future = engine.sender.send_payload(buffer, requirements)
        else:
            arguments = (bytes(buffer) if isinstance(buffer, memoryview) else buffer, *call)
            future = engine.sender.send_call(call_with_payload, arguments, {}, requirements)
        self.blocks.tasks_added(len(engine.tasks.pending))
        return future

    def _requirements(self, specification: dict[str, Any]) -> Requirements | None:
        """Return what a task requests, checked; None if nothing."""
        if not specification:
            return None
        self.validate_resource_spec(specification)
        runtime_s = specification.get("runtime_s")
        if runtime_s is not None:
            self.engine.warnings.note_runtime(runtime_s)
        return Requirements(specification.get("priority"), specification.get("walltime_s"), runtime_s)

    def validate_resource_spec(self, resource_specification: dict[str, Any]) -> None:
        """Check what a task requests.

        Raises:
            InvalidResourceSpecification: The specification is not valid; the error names what is wrong.
        """
        unknown = set(resource_specification) - self._resource_keys
        if unknown:
            raise InvalidResourceSpecification(
                unknown, f"{type(self).__name__} knows only {', '.join(sorted(self._resource_keys))}."
            )
        check_common(resource_specification, self._walltime_s)

    @property
    def _walltime_s(self) -> float | None:
        """How long a block may run, in seconds, if the provider knows."""
        return getattr(self.provider, "walltime_s", None)

    @property
    def tasks(self) -> dict[Any, Any]:
        """The futures of the tasks that have not ended."""
        return {} if self._engine is None else self._engine.tasks.pending

    @property
    def _task_counter(self) -> int:
        """The number of tasks so far, under the name at which scripts written for upstream read it."""
        return 0 if self._engine is None else self._engine.sender.count

    def fail_outstanding(self, exception: BaseException) -> None:
        """Fail every task that has not ended."""
        if self._engine is not None:
            self._engine.tasks.fail_all(exception)

    # Managers

    @property
    def workers_per_node(self) -> int | float | None:
        """How many workers a node has: as reported by managers, or as the parameters determine it."""
        if self._engine is None:
            return None
        if infos := self._engine.activity.infos():
            return max(info.workers for info in infos)
        if self._expected_workers is None:
            settings, is_local = self._pool_settings(), self._is_local()
            count = provider_facts.expected_workers(settings, self.provider, is_local=is_local)
            self._expected_workers = count or 0
        return self._expected_workers or None

    def block_activity(self) -> dict[str, BlockActivity] | None:
        """Return what the connected managers of each block are doing."""
        return None if self._engine is None else self._engine.activity.by_block()

    def outstanding_without_time(self) -> int:
        """Return how many tasks wait that no running block has the time for, but a new one would."""
        return 0 if self._engine is None else self._engine.activity.without_time

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Dispatch no more tasks to these blocks, and return those of them that have none."""
        return self.engine.hold_idle_blocks(block_ids)

    def connected_managers(self) -> list[dict[str, Any]]:
        """Request what each connected manager is doing.

        Returns:
            For each a dictionary with manager, block_id, hostname, worker_count, tasks (how many it holds),
            idle_duration (seconds), active, draining, parsl_version, python_version.
        """
        infos = self.engine.connection.request("managers", ANSWER_TIMEOUT_S).managers
        return [as_dict(info) for info in infos]

    def connected_blocks(self) -> list[str]:
        """Return the ids of the blocks with at least one connected manager."""
        return sorted({manager["block_id"] for manager in self.connected_managers()})

    def connected_managers_packages(self) -> dict[str, dict[str, str]]:
        """Return name and version of the distributions that are installed where each manager runs."""
        return self.engine.connection.request("packages", ANSWER_TIMEOUT_S).packages

    # Notifications by the engine, in its I/O thread

    def manager_gone(self, gone: ManagerGone) -> None:
        """Handle the loss of a manager: the job of its block may have ended."""
        self.blocks.process_lost()

    def manager_connected(self, info: ManagerInfo) -> None:
        """Record that a block has a manager."""
        self.blocks.manager_connected(info.block)

    def manager_refused(self, refused: ManagerRefused) -> None:
        """Warn of a refused manager, or fail for good if no manager is connected: all would be refused."""
        if self._engine is None or not self._engine.activity.infos():
            self.set_bad_state_and_fail_all(VersionMismatch(refused.driver_version, refused.manager_version))
        else:
            self._engine.warnings.warn_of_refused(refused)


pass_on_upstream_names(__name__)
