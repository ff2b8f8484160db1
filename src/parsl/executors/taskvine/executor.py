"""The executor that runs tasks with TaskVine."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.executors.base import check_radio, check_storage_access
from parsl.executors.cctools.contact import Contact
from parsl.executors.cctools.environments import Environment, pack_environment, packed_environment
from parsl.executors.cctools.executor import CCToolsExecutor, check_provider
from parsl.executors.engines.requests import Node, Request
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.taskvine.errors import (
    TaskVineFactoryFailure,
    TaskVineManagerFailure,
    TaskVineTaskFailure,
)
from parsl.executors.taskvine.factory import Factory, factory_command
from parsl.executors.taskvine.factory_config import TaskVineFactoryConfig
from parsl.executors.taskvine.function_server import serve, word_of_call
from parsl.executors.taskvine.manager_config import TaskVineManagerConfig
from parsl.providers import LocalProvider
from parsl.providers.base import ExecutionProvider

#: What a function server may request, and a task of its own.
_RESOURCES = frozenset({"cores", "memory", "disk", "gpus"})
_DEFAULT_MANAGER = TaskVineManagerConfig()
_DEFAULT_FACTORY = TaskVineFactoryConfig()


def _check_library(executor: object, config: object) -> None:
    known = _RESOURCES | {"function_slots"}
    if config is None or (
        isinstance(config, dict)
        and config.keys() <= known
        and all(isinstance(value, int) and value > 0 for value in config.values())
    ):
        return
    validate.wrong_type(
        executor, "library_config", config, f"None, or a dict of {', '.join(sorted(known))} as whole numbers"
    )


class TaskVineExecutor(CCToolsExecutor, RepresentationMixin):
    """Runs tasks with TaskVine, whose workers connect from anywhere and keep files.

    A task without a resource specification gets a whole worker. Files among the arguments of apps travel with
    the task, unless the manager's ``shared_fs`` is true. Running tasks can be cancelled.

    Args:
        label: The name by which apps choose this executor.
        worker_launch_method: Where workers come from: ``"factory"`` for a ``vine_factory`` that the executor
            starts, ``"provider"`` for blocks, ``"manual"`` for workers that are started by hand.
        function_exec_mode: ``"regular"`` for a Python process for each task; ``"serverless"`` for one on each
            worker, with Parsl imported, which forks for each task. Tasks then have no resources of their own.
        manager_config: How TaskVine's manager works.
        factory_config: How its factory works.
        provider: Where blocks come from, with ``worker_launch_method="provider"``; None for this machine.
        storage_access: The staging providers to use; None for the default ones.
        remote_monitoring_radio: How tasks send monitoring messages of their own; None if they send none.

    Raises:
        ParameterError: A parameter is not allowed.
        TaskVineManagerFailure: The password file does not exist.
    """

    engine = "TaskVine"
    modules = ("ndcctools.taskvine",)
    manager_module = "parsl.executors.taskvine.manager"
    tool = "vine_worker"
    remedy = (
        "Install it: conda install -c conda-forge ndcctools, or on Debian 13: apt-get install "
        "coop-computing-tools python3-workqueue python3-cloudpickle."
    )
    working_dir = None

    label = validate.Text(allow_empty=False, one_line=True)
    worker_launch_method = validate.Choice(("provider", "factory", "manual"))
    function_exec_mode = validate.Choice(("regular", "serverless"))
    manager_config = validate.Instance(TaskVineManagerConfig)
    factory_config = validate.Instance(TaskVineFactoryConfig)
    storage_access = validate.Custom(check_storage_access)
    remote_monitoring_radio = validate.Custom(check_radio)

    def __init__(
        self,
        label: str = "TaskVineExecutor",
        worker_launch_method: Literal["provider", "factory", "manual"] = "factory",
        function_exec_mode: Literal["regular", "serverless"] = "regular",
        manager_config: TaskVineManagerConfig = _DEFAULT_MANAGER,
        factory_config: TaskVineFactoryConfig = _DEFAULT_FACTORY,
        provider: ExecutionProvider | None = None,
        storage_access: Sequence[Any] | None = None,
        remote_monitoring_radio: Any | None = None,
    ) -> None:
        blocks = None
        if worker_launch_method == "provider":
            blocks = LocalProvider() if provider is None else check_provider(self, provider)
        super().__init__(provider=blocks)
        validate.assign(self, locals())
        self._take(manager_config)
        self._factory: Factory | None = None

    def _take(self, config: TaskVineManagerConfig) -> None:
        validate.choice(
            self, "autolabel_algorithm", config.autolabel_algorithm, ("max-xput", "bucketing", "max")
        )
        _check_library(self, config.library_config)
        self.contact = Contact(config.project_name, config.project_password_file, config.address)
        self.contact.check_password_file(TaskVineManagerFailure)
        self.init_command = config.init_command
        self.shared_fs = config.shared_fs
        self.autolabel = config.autolabel
        self.autocategory = config.autocategory

    def connect(self) -> None:
        """Start TaskVine's manager process, and its factory.

        Raises:
            TaskVineManagerFailure: The manager process could not start.
            TaskVineFactoryFailure: The factory could not start.
            ConfigurationError: An environment is to be packed, and there is nothing to pack with.
        """
        super().connect()
        if self.worker_launch_method == "factory":
            try:
                self._start_factory()
            except BaseException:
                super().disconnect()
                raise

    def _start_factory(self) -> None:
        config = replace(
            self.factory_config,
            _project_port=self.bound_port,
            _project_address=self.contact.host,
            _project_name=self.manager_config.project_name,
            _project_password_file=self.contact.password_file,
        )
        scratch_dir = config.scratch_dir or os.path.join(self.log_dir, "factory")
        os.makedirs(scratch_dir, exist_ok=True)
        if shutil.which("vine_factory") is None:
            raise TaskVineFactoryFailure(f"there is no vine_factory on the PATH. {self.remedy}")
        command = factory_command(config, scratch_dir)
        self._factory = Factory(command, os.path.join(self.log_dir, "factory.log"), self._lost_factory)

    def starts_all_workers(self) -> bool:
        """Return whether no worker is started by hand."""
        return self.worker_launch_method == "factory" or super().starts_all_workers()

    def nodes(self) -> Iterable[Node]:
        """Return the connected workers, or those that the factory starts, if all of them are alike."""
        if self.worker_launch_method != "factory" or self.contact.project_name:
            return super().nodes()
        config = self.factory_config
        if self._nodes and config.batch_type == "local":
            return self._nodes
        amounts = (config.cores, config.memory, config.disk, config.gpus)
        cores, memory, disk, gpus = (math.inf if amount is None else amount for amount in amounts)
        return [Node(cores, memory, disk, gpus)]

    @property
    def factory_pid(self) -> int | None:
        """The process id of the factory; None if there is none."""
        return None if self._factory is None else self._factory.pid

    def _lost_factory(self, reason: str) -> None:
        failure = TaskVineFactoryFailure(reason)
        self.fail_outstanding(failure)
        self.set_bad_state_and_fail_all(failure)

    def make_environment(self) -> Environment | None:
        """Return the environment that the configuration names, packed."""
        config = self.manager_config
        if config.app_pack:
            return pack_environment(self, self.log_dir, "app_pack")
        if config.env_pack is None:
            return None
        if config.env_pack.endswith(".tar.gz"):
            return packed_environment(self, "env_pack", config.env_pack)
        return pack_environment(self, self.log_dir, "env_pack", config.env_pack)

    def library_settings(self) -> dict[str, Any]:
        """Return the settings of the manager."""
        config = self.manager_config
        tune = dict(config.tune_parameters or {})
        if config.wait_for_workers:
            tune["wait-for-workers"] = config.wait_for_workers
        if config.autolabel_window is not None:
            tune["category-steady-n-tasks"] = config.autolabel_window
        return {
            "port": config.port,
            "project_name": config.project_name,
            "password_file": self.contact.password_file,
            "log_dir": config.vine_log_dir or os.path.join(self.log_dir, "vine"),
            "enable_peer_transfers": config.enable_peer_transfers,
            "autolabel": config.autolabel,
            "autolabel_algorithm": config.autolabel_algorithm,
            "max_retries": config.max_retries,
            "env": config.env_vars or {},
            "tune": tune,
            "function_server": self._function_server() if self._is_serverless else None,
        }

    @property
    def _is_serverless(self) -> bool:
        return self.function_exec_mode == "serverless"

    def _function_server(self) -> dict[str, Any]:
        """Return what TaskVine starts on each worker for serverless functions."""
        command, inputs = self.program(serve)
        return {"command": command, "inputs": inputs, "resources": self.manager_config.library_config or {}}

    def task_program(self, call: str, outcome: str) -> tuple[str, list[tuple[str, str, bool]]]:
        """Return the command of a task, and what it needs; the files alone for a function server."""
        if not self._is_serverless:
            return super().task_program(call, outcome)
        return word_of_call(call, outcome, os.getcwd() if self.shared_fs else ""), []

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check what a task requests: no resources of its own, if functions are serverless.

        Raises:
            InvalidResourceSpecification: The specification is wrong, or cannot be satisfied.
        """
        given = {key for key in _RESOURCES if (specification or {}).get(key) is not None}
        if given and self._is_serverless:
            raise InvalidResourceSpecification(
                given,
                "A serverless function has a share of its function server's resources, which library_config "
                "of the TaskVineManagerConfig sets. For resources of each task, use "
                "function_exec_mode='regular'.",
            )
        return super().read_request(specification)

    def launch_command(self, block_id: str) -> str:
        """Return the shell command that starts a worker."""
        worker = self.factory_config
        return self.contact.worker_command(worker.worker_executable, worker.worker_options, self.bound_port)

    @property
    def workers_per_node(self) -> int:
        """How many tasks a worker is expected to run at once."""
        return 1

    def disconnect(self) -> None:
        """End the factory and the manager process, which releases the workers."""
        if self._factory is not None:
            self._factory.stop()
        super().disconnect()

    def manager_failure(self, reason: str) -> TaskVineManagerFailure:
        """Return the error for a lost manager process."""
        return TaskVineManagerFailure(reason)

    def task_failure(self, reason: str, results: list[str], facts: dict[str, Any]) -> TaskVineTaskFailure:
        """Return the error for a task that TaskVine has failed."""
        return TaskVineTaskFailure(reason, facts.get("status", 0))
