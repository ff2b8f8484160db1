"""The high-throughput executor: many tasks on many nodes, through one interchange."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from parsl import validate
from parsl.common import descriptors
from parsl.common.notices import warn_user
from parsl.common.representation import RepresentationMixin, UsageInformation
from parsl.errors import ConfigurationError
from parsl.executors.blocks.block_set import BlockListener, BlockSet
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.common_parameters import check_storage_access, no_radio
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.activity import as_dict
from parsl.executors.high_throughput.driver.cleanup_registry import CleanupRegistry
from parsl.executors.high_throughput.driver.client import HTEXFuture
from parsl.executors.high_throughput.driver.engine import Engine
from parsl.executors.high_throughput.driver.engine_settings import EngineSettings
from parsl.executors.high_throughput.driver.lost_tasks import LostTasks
from parsl.executors.high_throughput.driver.parameters import (
    MAX_PREFETCH,
    accepts_retired_htex_arguments,
    check_enforcing,
    check_label,
    check_max_workers,
    check_provider,
)
from parsl.executors.high_throughput.driver.resource_specification import COMMON_KEYS, check_common
from parsl.executors.high_throughput.driver.task_sender import TaskSender
from parsl.executors.high_throughput.errors import BadNodeWarning, ManagerRefusedWarning, VersionMismatch
from parsl.executors.high_throughput.manager_selector import ManagerSelector, RandomManagerSelector
from parsl.executors.high_throughput.node.accelerators import check_accelerators
from parsl.executors.high_throughput.node.cpu_list import check_cpu_affinity
from parsl.executors.high_throughput.wire.protocol import (
    Answer,
    ManagerGone,
    ManagerInfo,
    ManagerJoined,
    ManagerRefused,
    NodeChange,
    Task,
)
from parsl.executors.status_handling import BlockProviderExecutor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.providers.base import ExecutionProvider
    from parsl.vocabulary.job_states import JobStatus

logger = logging.getLogger(__name__)

#: How long questions to the interchange wait for an answer, in seconds.
ANSWER_TIMEOUT_S = 30.0
#: How long the end of a run waits for a submission that is going on, to cancel its job, in seconds.
SUBMISSION_PATIENCE_S = 30.0
_NO_RESOURCES: dict[str, Any] = {}


class HighThroughputExecutor(BlockProviderExecutor, RepresentationMixin, UsageInformation):
    """Runs tasks on the workers of blocks, which are asked for from a provider.

    Args:
        label: name of the executor, by which apps choose it; also its directory in the run directory.
        provider: where blocks come from; a LocalProvider if not given.
        launch_cmd: shell command that starts a manager, with fields such as {settings} and {block_id}, or
            those of process_worker_pool.py's flags; the driver's own Python if not given.
        interchange_launch_cmd: command that starts the interchange; the driver's own Python if not given.
            It must pass inherited descriptors on.
        address: address or name under which workers reach the driver's host; all of its addresses if not
            given, and the loopback alone where workers can only be on this host.
        loopback_address: accepted; the interchange and the driver share a socket pair and need no address.
        worker_port: TCP port for workers; one of the range if not given.
        worker_port_range: first port and the one after the last; None for any free port.
        interchange_port_range: accepted; no port is needed between driver and interchange.
        storage_access: staging providers, in order of preference.
        working_dir: directory that staging puts files into, on the workers.
        worker_debug: log more, and a log file for each worker.
        cores_per_worker: cores for each worker; may be a fraction.
        mem_per_worker: memory for each worker, in GB.
        max_workers_per_node: most workers on a node; None for as many as fit.
        cpu_affinity: how workers are bound to CPUs: none, block, block-reverse, alternating or
            'list:0-7,104-111:8-15', one group for each worker.
        available_accelerators: names of the accelerators of a node, or how many there are; one for a worker.
        prefetch_capacity: tasks that a node holds beyond one for each worker. With short tasks a node fetches
            ahead by itself.
        heartbeat_threshold: seconds of silence after which the other side is given up.
        heartbeat_period: seconds between signs of life.
        drain_period: seconds after which a manager takes no more tasks and, when it has none, ends.
        poll_period: accepted; nothing polls.
        address_probe_timeout: accepted; addresses are tried all at once.
        worker_logdir_root: directory for the logs of managers and workers; the run directory if not given.
        manager_selector: which managers get tasks first.
        block_error_handler: what to do about failing blocks; True for giving up when they all fail.
        encrypted: encrypt and authenticate the connections of managers (CurveZMQ).
        remote_monitoring_radio: how resource messages travel; only None, until there is monitoring.
        enforce_mem_per_worker: end a worker that uses more than mem_per_worker together with the processes
            that it has started; its task fails with WorkerOverMemory.

    Raises: ParameterError for a wrong parameter.
    """

    enforces_walltime = True
    _resource_keys = COMMON_KEYS
    enable_mpi_mode = False
    mpi_launcher = "mpiexec"

    @accepts_retired_htex_arguments
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
        super().__init__(provider=check_provider(self, provider), block_error_handler=block_error_handler)
        check = validate
        self.label = check_label(self, label)
        self.launch_cmd = check.text(self, "launch_cmd", launch_cmd, optional=True, allow_empty=False)
        self.interchange_launch_cmd = check.list_of(
            self, "interchange_launch_cmd", interchange_launch_cmd, str, optional=True, allow_empty=False
        )
        self.address = check.text(self, "address", address, optional=True, allow_empty=False, one_line=True)
        self.loopback_address = check.text(self, "loopback_address", loopback_address, allow_empty=False)
        self.worker_port = check.port(self, "worker_port", worker_port, optional=True)
        self.worker_port_range = check.port_range(self, "worker_port_range", worker_port_range, optional=True)
        self.interchange_port_range = check.port_range(
            self, "interchange_port_range", interchange_port_range, optional=True
        )
        self.storage_access = check_storage_access(self, "storage_access", storage_access)
        self.working_dir = check.text(self, "working_dir", working_dir, optional=True, allow_empty=False)
        self.worker_debug = check.boolean(self, "worker_debug", worker_debug)
        self.cores_per_worker = check.number(self, "cores_per_worker", cores_per_worker, above=0)
        self.mem_per_worker = check.number(self, "mem_per_worker", mem_per_worker, above=0, optional=True)
        self.enforce_mem_per_worker = check_enforcing(self, enforce_mem_per_worker, self.mem_per_worker)
        self.max_workers_per_node = check_max_workers(self, max_workers_per_node)
        self.cpu_affinity = check_cpu_affinity(cpu_affinity, self)
        self.available_accelerators = list(check_accelerators(available_accelerators, self))
        self.prefetch_capacity = check.integer(
            self, "prefetch_capacity", prefetch_capacity, low=0, high=MAX_PREFETCH
        )
        self.heartbeat_threshold = check.number(self, "heartbeat_threshold", heartbeat_threshold, above=0)
        self.heartbeat_period = check.number(self, "heartbeat_period", heartbeat_period, above=0)
        if self.heartbeat_period >= self.heartbeat_threshold:
            check.wrong_value(
                self,
                "heartbeat_period",
                heartbeat_period,
                f"less than heartbeat_threshold ({heartbeat_threshold})",
            )
        self.drain_period = check.number(self, "drain_period", drain_period, above=0, optional=True)
        self.poll_period = check.number(self, "poll_period", poll_period, above=0)
        self.address_probe_timeout = check.number(
            self, "address_probe_timeout", address_probe_timeout, above=0, optional=True
        )
        self.worker_logdir_root = check.text(
            self, "worker_logdir_root", worker_logdir_root, optional=True, allow_empty=False
        )
        self.manager_selector = check.instance(
            self,
            "manager_selector",
            RandomManagerSelector() if manager_selector is None else manager_selector,
            ManagerSelector,
        )
        self.encrypted = check.boolean(self, "encrypted", encrypted)
        self.remote_monitoring_radio = no_radio(self, "remote_monitoring_radio", remote_monitoring_radio)
        self._engine: Engine | None = None
        self._lost: LostTasks | None = None
        self._has_refused = False
        self._longest_runtime_s = 0.0
        self._sender: TaskSender | None = None

    # Directories

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
        """Return what usage tracking tells of it from level 2 on."""
        return {"mpi": self.enable_mpi_mode}

    # Life

    def start(self) -> None:
        """Start the interchange and ask for the first blocks; returns without waiting for either.

        Raises: ConfigurationError when an address or a port cannot be used.
        """
        if self._engine is not None:
            raise ConfigurationError(
                f"Executor {self.label!r} has been started before. Make a new one for each parsl.load()."
            )
        if self.provider is not None:
            descriptors.warn_if_few(self.label, self.provider.max_blocks * self.provider.nodes_per_block)
        self._engine = Engine(
            self._engine_settings(), on_event=self._take_event, on_lost=self.set_bad_state_and_fail_all
        )
        self._engine.start()
        self._lost = LostTasks(self.label, self.blocks, self._walltime_s, self._engine.client.settle)
        self._engine.client.on_failure = self._lost.take
        self._sender = TaskSender(self._engine, self._ask)
        self.launch_command("0")  # a template that cannot be filled in is an error here, not in some block
        if self.provider is not None:
            self.provider.script_dir = os.path.join(self.logdir, "submit_scripts")
            os.makedirs(self.provider.script_dir, mode=0o700, exist_ok=True)
            registry = CleanupRegistry(self.label, self.provider.cancel_commands, self._engine)
            self.blocks.add_listener(_JobListener(self.blocks, self._engine, self._lost, registry))
        self.blocks.start()

    def _engine_settings(self) -> EngineSettings:
        return EngineSettings(
            owner=f"{type(self).__name__} {self.label!r}",
            label=self.label,
            log_dir=self.logdir,
            worker_log_dir=self.worker_logdir,
            address=self.address,
            is_local=self._is_local(),
            worker_port=self.worker_port,
            worker_port_range=self.worker_port_range,
            encrypted=self.encrypted,
            debug=self.worker_debug,
            interchange_command=self.interchange_launch_cmd,
            selector=self.manager_selector,
            heartbeat_period_s=self.heartbeat_period,
            heartbeat_threshold_s=self.heartbeat_threshold,
            drain_period_s=self.drain_period,
            cores_per_worker=self.cores_per_worker,
            mem_per_worker_gb=self.mem_per_worker,
            enforces_memory=self.enforce_mem_per_worker,
            max_workers=self.max_workers_per_node,
            prefetch=self.prefetch_capacity,
            cpu_affinity=self.cpu_affinity,
            accelerators=self.available_accelerators,
            walltime_s=self._walltime_s,
        )

    def _is_local(self) -> bool:
        """Whether managers can only come from this host, and share its file system."""
        from parsl.launchers import SimpleLauncher, SingleNodeLauncher
        from parsl.providers import LocalProvider

        provider = self.provider
        if type(provider) is not LocalProvider or provider.nodes_per_block > 1 or self.launch_cmd:
            return False
        return type(provider.launcher) in (SimpleLauncher, SingleNodeLauncher)

    def shutdown(self, timeout: float = 10.0) -> None:
        """End everything that was started; tasks that have not ended fail.

        Args:
            timeout: seconds to wait for the interchange before it is killed.
        """
        engine = self._engine
        if engine is None or engine.is_disowned:
            return
        self.blocks.cancel_queued()
        self.blocks.wait_for_submissions(SUBMISSION_PATIENCE_S)
        engine.say_stop()
        self.blocks.cancel_all()
        if self._lost is not None:
            self._lost.close()
        engine.close(timeout)

    def launch_command(self, block_id: str) -> str:
        """The shell command that starts a manager of the block."""
        assert self._engine is not None, "blocks are launched after start()"
        return self._engine.launch_command(self.launch_cmd, block_id)

    # Tasks

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HTEXFuture:
        """Send a task to the workers.

        Args:
            func: what to call.
            resource_specification: may have `priority` (lower runs first), `walltime_s` (seconds, after which
                it is ended) and `runtime_s` (how long it takes, in seconds: it is only begun where it can be
                done).

        Raises: InvalidResourceSpecification, SerializationError, BadStateException.
        """
        self.raise_if_bad()
        sender = self._sender or self._not_started()
        if resource_specification:
            self.validate_resource_spec(resource_specification)
        future = sender.send_call(func, args, kwargs, resource_specification)
        self._note_outstanding()
        return future

    def submit_payload(self, context: dict[str, Any], buffer: bytes) -> HTEXFuture:
        """Send a task that is pickled already.

        Args:
            context: may have `resource_spec`, as in `submit`.
            buffer: what `parsl.serialize.pack_apply_message` returned.
        """
        self.raise_if_bad()
        specification = (context or {}).get("resource_spec") or _NO_RESOURCES
        sender = self._sender or self._not_started()
        self.validate_resource_spec(specification)
        future = sender.send_payload(buffer, specification)
        self._note_outstanding()
        return future

    def _note_outstanding(self) -> None:
        outstanding = len(self.tasks)
        if outstanding > self.blocks.covered_tasks:
            self.blocks.tasks_added(outstanding)

    def _ask(self, task: Task, resources: dict[str, Any]) -> None:
        """Put what a task asks for into it."""
        task.priority, task.walltime_s = resources.get("priority"), resources.get("walltime_s")
        task.runtime_s = resources.get("runtime_s")
        if task.runtime_s is not None:
            self._longest_runtime_s = max(self._longest_runtime_s, task.runtime_s)

    def _check_time_of(self, info: ManagerInfo) -> None:
        """Tell, once, of tasks that take longer than blocks have left when their managers come."""
        if info.ends_in_s is not None and info.ends_in_s < self._longest_runtime_s:
            logger.warning(
                "Executor %s: a manager of block %s has come with %.0f s left, but a task takes %g s. "
                "If all blocks take so long to start, it never runs: set a longer walltime.",
                self.label, info.block, info.ends_in_s, self._longest_runtime_s,
            )  # fmt: skip
            self._longest_runtime_s = 0.0

    @property
    def _walltime_s(self) -> float | None:
        """How long a block may run, in seconds, if the provider knows."""
        return getattr(self.provider, "walltime_s", None)

    def _started(self) -> Engine:
        return self._engine or self._not_started()

    def _not_started(self) -> NoReturn:
        raise RuntimeError(f"{self!r} has not been started: pass it to parsl.load(Config(executors=[...]))")

    def validate_resource_spec(self, resource_specification: dict[str, Any]) -> None:
        """Check what a task asks for.

        Raises: InvalidResourceSpecification naming what is wrong.
        """
        unknown = set(resource_specification) - self._resource_keys
        if unknown:
            raise InvalidResourceSpecification(
                unknown, f"{type(self).__name__} knows only {', '.join(sorted(self._resource_keys))}."
            )
        check_common(resource_specification, self._walltime_s)

    @property
    def tasks(self) -> dict[Any, Any]:
        """The futures of the tasks that have not ended."""
        return {} if self._engine is None else self._engine.client.pending

    def outstanding(self) -> int:
        """How many tasks have not ended."""
        return len(self.tasks)

    def fail_outstanding(self, exception: BaseException) -> None:
        """Fail every task that has not ended."""
        if self._engine is not None:
            self._engine.client.fail_all(exception)

    # Managers

    @property
    def workers_per_node(self) -> int | float | None:
        """How many workers a node has: as connected managers say, or as far as the settings tell."""
        infos = [] if self._engine is None else self._engine.activity.infos()
        if infos:
            return max(info.workers for info in infos)
        if self.available_accelerators and self.max_workers_per_node is None:
            return len(self.available_accelerators)
        return None

    def block_activity(self) -> dict[str, BlockActivity] | None:
        """What the connected managers of each block are doing."""
        return None if self._engine is None else self._engine.activity.by_block()

    def outstanding_without_time(self) -> int:
        """How many tasks wait that no running block has the time for, but a new one would."""
        return 0 if self._engine is None else self._engine.activity.without_time

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        """Give these blocks no more tasks, and say which of them are still without any."""
        return self._started().hold_idle_blocks(block_ids)

    def connected_managers(self) -> list[dict[str, Any]]:
        """What each connected manager is doing.

        Returns: for each a dictionary with manager, block_id, hostname, worker_count, tasks (how many it
            holds), idle_duration (seconds), active, draining, parsl_version, python_version.
        """
        infos = self._started().client.ask("managers", ANSWER_TIMEOUT_S).managers
        return [as_dict(info) for info in infos]

    def connected_blocks(self) -> list[str]:
        """The ids of the blocks with at least one connected manager."""
        return sorted({manager["block_id"] for manager in self.connected_managers()})

    def connected_managers_packages(self) -> dict[str, dict[str, str]]:
        """Name and version of the distributions that are installed where each manager runs."""
        return self._started().client.ask("packages", ANSWER_TIMEOUT_S).packages

    # From the engine's thread

    def _take_event(self, message: Any) -> None:
        if isinstance(message, ManagerJoined):
            self.blocks.manager_connected(message.info.block)
            self._check_time_of(message.info)
        elif isinstance(message, ManagerGone):
            self.blocks.process_lost()
        elif isinstance(message, Answer):
            self.blocks.changed()
        elif isinstance(message, NodeChange):
            self.report_node_change(message)
        elif isinstance(message, ManagerRefused):
            self._take_refusal(message)

    def report_node_change(self, change: NodeChange) -> None:
        """Warn of a node that was quarantined, or is used again."""
        text = f"Executor {self.label}: {change.text}"
        logger.warning("%s", text)
        if change.is_warning:
            warn_user(text, BadNodeWarning)

    def _take_refusal(self, refused: ManagerRefused) -> None:
        """Warn of a refused manager, or fail for good if no manager is connected: all would be refused."""
        if self._engine is None or not self._engine.activity.infos():
            self.set_bad_state_and_fail_all(VersionMismatch(refused.driver_version, refused.manager_version))
            return
        text = (
            f"Executor {self.label} goes on without a manager that was refused: that of block "
            f"{refused.block} on {refused.host} runs {refused.manager_version}, the driver "
            f"{refused.driver_version}. Its node does no work. Start both from the same environment: check "
            "worker_init and launch_cmd"
        )
        logger.warning("%s", text)
        if not self._has_refused:
            self._has_refused = True
            warn_user(f"{text}. (This warning is shown once; the log has later ones.)", ManagerRefusedWarning)


class _JobListener(BlockListener):
    """Passes the ends of jobs on to where managers, lost tasks and cleanup commands are looked after."""

    def __init__(self, blocks: BlockSet, engine: Engine, lost: LostTasks, registry: CleanupRegistry) -> None:
        self._blocks = blocks
        self._engine = engine
        self._lost = lost
        self._registry = registry

    def job_submitted(self, job_id: object) -> None:
        """The interchange cancels this job too should this process die."""
        self._registry.add(job_id)

    def job_ended(self, block_id: str) -> None:
        """The block's managers have ended with it."""
        self._engine.block_ended(block_id)

    def jobs_queried(self) -> None:
        """More may be known about the jobs of lost tasks."""
        self._lost.wake()

    def blocks_polled(self) -> None:
        """Jobs may have ended, or begun, which changes the order in which they are cancelled."""
        self._registry.renew(self._blocks.jobs_to_cancel)
