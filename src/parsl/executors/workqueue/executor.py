"""The executor that runs tasks with Work Queue."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError
from parsl.executors.base import check_radio, check_storage_access
from parsl.executors.cctools.contact import Contact
from parsl.executors.cctools.environments import Environment, pack_environment
from parsl.executors.cctools.executor import CCToolsExecutor, check_provider
from parsl.executors.workqueue.errors import WorkQueueFailure, WorkQueueTaskFailure
from parsl.providers import LocalProvider
from parsl.providers.base import ExecutionProvider

#: Lets the library choose a port.
WORK_QUEUE_DEFAULT_PORT = 0


def _check_env(executor: object, name: str, value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, Mapping):
        validate.wrong_type(executor, name, value, "a dict of names and values, or None")
    return {str(key): str(item) for key, item in (value or {}).items()}


class WorkQueueExecutor(CCToolsExecutor, RepresentationMixin):
    """Runs tasks with Work Queue, whose workers connect from anywhere.

    The workers are those of the provider's blocks, those of a ``work_queue_factory``, or started by hand with
    the executor's ``project_name`` or its ``address`` and ``port``. A task without a resource specification
    gets a whole worker. Files among the arguments of apps travel with the task, unless ``shared_fs`` is true.
    Running tasks can be cancelled.

    Args:
        label: The name by which apps choose this executor.
        provider: Where workers come from: each node of a block runs one. By default one worker on this
            machine; with ``LocalProvider(init_blocks=0, max_blocks=0)`` only those that are started by
            other means.
        working_dir: Where files are staged to, and with ``shared_fs`` where tasks run.
        project_name: The name by which workers find the executor in the catalog; None for none.
        project_password_file: The file with the password that workers must know. Without one, any program
            that reaches the port can connect.
        address: Where workers reach this machine; by default its host name. Ignored with a project name.
        port: The port for workers; 0 for one that the library chooses.
        env: Environment variables of tasks.
        shared_fs: Whether workers see the driver's files under the same paths, so that none are transferred.
        storage_access: The staging providers to use; None for the default ones.
        use_cache: Whether workers keep input files for later tasks, by their paths.
        source: Has no effect: functions of a script travel by value in any case.
        pack: Whether to send a Python environment with the packages that this driver imports.
        extra_pkgs: Further packages for ``pack``.
        autolabel: Whether Work Queue measures tasks, and chooses their resources by what it has seen.
        autolabel_window: How many similar tasks come before such a choice.
        autocategory: Whether each app is a category of its own for such choices.
        max_retries: How often Work Queue may start a task whose worker is lost; None for any number.
        init_command: Shell text in front of each task. The ``python3`` that is found after it runs the task,
            in the place of the shell unless the text has a ``trap``.
        worker_options: Further options of ``work_queue_worker``.
        full_debug: Whether the library writes a full debug log into the run directory.
        worker_executable: The command that starts a worker.
        function_dir: The directory for calls and outcomes; by default one in the run directory.
        coprocess: Must be false: there are no processes that stay for further tasks. TaskVine has them.
        scaling_cores_per_worker: How many cores a worker has, for decisions about blocks.
        remote_monitoring_radio: How tasks send monitoring messages of their own; None if they send none.

    Raises:
        ParameterError: A parameter is not allowed.
        WorkQueueFailure: The password file does not exist.
    """

    engine = "Work Queue"
    modules = ("ndcctools.work_queue", "work_queue")
    manager_module = "parsl.executors.workqueue.manager"
    tool = "work_queue_worker"
    remedy = (
        "Install it: conda install -c conda-forge ndcctools, or on Debian: apt-get install "
        "coop-computing-tools python3-workqueue."
    )

    label = validate.Text(allow_empty=False, one_line=True)
    working_dir = validate.Text(allow_empty=False)
    project_name = validate.Text(allow_empty=False, one_line=True, optional=True)
    project_password_file = validate.Text(allow_empty=False, optional=True)
    address = validate.Text(allow_empty=False, one_line=True, optional=True)
    port = validate.Integer(low=0, high=65535)
    env = validate.Custom(_check_env)
    shared_fs = validate.Boolean()
    storage_access = validate.Custom(check_storage_access)
    use_cache = validate.Boolean()
    source = validate.Boolean()
    pack = validate.Boolean()
    extra_pkgs = validate.ListOf(str, optional=True)
    autolabel = validate.Boolean()
    autolabel_window = validate.Integer(low=1)
    autocategory = validate.Boolean()
    max_retries = validate.Integer(low=1, optional=True)
    init_command = validate.Text()
    worker_options = validate.Text(one_line=True)
    full_debug = validate.Boolean()
    worker_executable = validate.Text(allow_empty=False, one_line=True)
    function_dir = validate.Text(allow_empty=False, optional=True)
    coprocess = validate.Boolean()
    scaling_cores_per_worker = validate.Integer(low=1)
    remote_monitoring_radio = validate.Custom(check_radio)

    def __init__(
        self,
        label: str = "WorkQueueExecutor",
        provider: ExecutionProvider | None = None,
        working_dir: str = ".",
        project_name: str | None = None,
        project_password_file: str | None = None,
        address: str | None = None,
        port: int = WORK_QUEUE_DEFAULT_PORT,
        env: Mapping[str, str] | None = None,
        shared_fs: bool = False,
        storage_access: Sequence[Any] | None = None,
        use_cache: bool = False,
        source: bool = False,
        pack: bool = False,
        extra_pkgs: Sequence[str] | None = None,
        autolabel: bool = False,
        autolabel_window: int = 1,
        autocategory: bool = True,
        max_retries: int | None = 1,
        init_command: str = "",
        worker_options: str = "",
        full_debug: bool = True,
        worker_executable: str = "work_queue_worker",
        function_dir: str | None = None,
        coprocess: bool = False,
        scaling_cores_per_worker: int = 1,
        remote_monitoring_radio: Any | None = None,
    ) -> None:
        super().__init__(provider=LocalProvider() if provider is None else check_provider(self, provider))
        validate.assign(self, locals())
        self.contact = Contact(project_name, project_password_file, address)
        self.contact.check_password_file(WorkQueueFailure)
        if coprocess:
            raise ConfigurationError(
                "WorkQueueExecutor: coprocess is not available. To start no Python for each task, use a "
                "HighThroughputExecutor, or a TaskVineExecutor(function_exec_mode='serverless')."
            )

    def make_environment(self) -> Environment | None:
        """Pack the conda environment of this Python, if ``pack`` is true."""
        return pack_environment(self, self.log_dir) if self.pack else None

    def library_settings(self) -> dict[str, Any]:
        """Return the settings of the queue."""
        return {
            "port": self.port,
            "project_name": self.project_name,
            "password_file": self.contact.password_file,
            "full_debug": self.full_debug,
            "debug_log": os.path.join(self.log_dir, "debug_log"),
            "transactions_log": os.path.join(self.log_dir, "transaction_log") if self.full_debug else None,
            "autolabel": self.autolabel,
            "autolabel_window": self.autolabel_window,
            "monitor_dir": self.log_dir,
            "max_retries": self.max_retries,
            "env": self.env,
        }

    def make_function_directory(self) -> str:
        """Make a new directory for the files of calls and outcomes, because runs may share its parent."""
        if self.function_dir is None:
            return super().make_function_directory()
        parent = os.path.abspath(self.function_dir)
        os.makedirs(parent, exist_ok=True)
        return tempfile.mkdtemp(prefix=f"{self.label}-", dir=parent)

    @property
    def caches_inputs(self) -> bool:
        """Whether workers keep input files for later tasks."""
        return self.use_cache

    def launch_command(self, block_id: str) -> str:
        """Return the shell command that starts a worker."""
        return self.contact.worker_command(self.worker_executable, self.worker_options, self.bound_port)

    @property
    def workers_per_node(self) -> int:
        """How many tasks a worker is expected to run at once."""
        return self.scaling_cores_per_worker

    def manager_failure(self, reason: str) -> WorkQueueFailure:
        """Return the error for a lost manager process."""
        return WorkQueueFailure(reason)

    def task_failure(self, reason: str, results: list[str], facts: dict[str, Any]) -> WorkQueueTaskFailure:
        """Return the error for a task that Work Queue has failed."""
        return WorkQueueTaskFailure(reason, ", ".join(results) or None)
