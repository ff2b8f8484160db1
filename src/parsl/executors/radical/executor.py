"""The executor that runs tasks in a pilot of RADICAL-Pilot."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any, cast

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.executors.engines.errors import EngineTaskError
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.requests import Request
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.radical.messages import (
    REFUSED,
    TOO_LARGE,
    Cancel,
    Ended,
    FromSession,
    PilotEnded,
    Settings,
    Submit,
)
from parsl.executors.radical.rpex_resources import ResourceConfig
from parsl.executors.radical.session import SessionProcess

logger = logging.getLogger(__name__)

#: How long ``bulk_mode`` collects tasks before it submits them together, in seconds.
BULK_WAIT_S = 1.0
#: The attributes of ``radical.pilot.TaskDescription`` that a task may set.
KEYS = frozenset({
    "ranks", "ranks_per_node", "cores_per_rank", "gpus_per_rank", "mem_per_rank", "lfs_per_rank",
    "threading_type", "gpu_type", "use_mpi", "environment", "named_env", "pre_launch", "pre_exec",
    "pre_exec_sync", "post_launch", "post_exec", "priority", "tags", "timeout", "startup_timeout", "mode",
})  # fmt: skip


def _check_config(owner: object, name: str, value: Any) -> ResourceConfig | None:
    config = validate.instance(owner, name, value, ResourceConfig, optional=True)
    if config is not None and config.pilot_env_setup:
        validate.wrong_value(
            owner, name, config.pilot_env_setup, "an empty pilot_env_setup: install packages beforehand"
        )
    return cast("ResourceConfig | None", config)


class RadicalPilotExecutor(EngineExecutor, RepresentationMixin):
    """Runs each task as one of RADICAL-Pilot, in a pilot: one batch job that runs many tasks.

    ``parsl_resource_specification`` may have attributes of ``radical.pilot.TaskDescription``: ``ranks`` (for
    MPI functions, in which ``mpi4py.MPI.COMM_WORLD`` has the ranks; the result is that of rank 0),
    ``cores_per_rank``, ``gpus_per_rank``, ``pre_exec`` and others. The session is in a process of its own,
    which is ended by force if it does not start or stop in time. Driver and tasks share a file system.

    Args:
        resource: The machine, as RADICAL-Pilot names it, such as ``"local.localhost"``.
        label: The name by which apps choose this executor.
        bulk_mode: Whether to collect tasks for a second and submit them together.
        working_dir: Where files are staged to, and where the files of tasks are; None for the run directory.
        rpex_cfg: The size of the pilot and the environment of tasks; None for ``ResourceConfig()``.
        rpex_pilot_kwargs: Attributes of ``radical.pilot.PilotDescription``, such as ``runtime`` (minutes),
            ``cores``, ``nodes``, ``project`` and ``queue``.

    Raises:
        ParameterError: A parameter is not allowed.
    """

    engine = "RADICAL-Pilot"

    resource = validate.Text(allow_empty=False)
    label = validate.Text(allow_empty=False, one_line=True)
    bulk_mode = validate.Boolean()
    working_dir = validate.Text(allow_empty=False, optional=True)
    rpex_cfg = validate.Custom(_check_config)

    def __init__(
        self,
        resource: str,
        label: str = "RPEX",
        bulk_mode: bool = False,
        working_dir: str | None = None,
        rpex_cfg: ResourceConfig | None = None,
        **rpex_pilot_kwargs: Any,
    ) -> None:
        super().__init__()
        validate.assign(self, locals())
        self.rpex_pilot_kwargs = rpex_pilot_kwargs
        self._session: SessionProcess | None = None
        self._lock = threading.Lock()

    @property
    def _config(self) -> ResourceConfig:
        return self.rpex_cfg or ResourceConfig()

    def _pilot(self) -> dict[str, Any]:
        """Return the description of the pilot."""
        config = self._config
        pilot: dict[str, Any] = {"resource": self.resource, "runtime": 30, "exit_on_error": False}
        if not {"cores", "nodes"} & self.rpex_pilot_kwargs.keys():
            pilot["cores"] = config.cores
        if "gpus" not in self.rpex_pilot_kwargs and config.gpus:
            pilot["gpus"] = config.gpus
        return {**pilot, **self.rpex_pilot_kwargs}

    def connect(self) -> None:
        """Open a session and submit a pilot, without waiting for it to run."""
        try:
            found = importlib.util.find_spec("radical.pilot")
        except ImportError:
            found = None
        if found is None:
            line = "pip install 'parsl[radical]'"
            raise OptionalModuleMissing(
                ["radical.pilot"], f"RadicalPilotExecutor needs radical.pilot. Install it: {line}"
            )
        directory = Path(self.run_dir, self.label)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = Path(self.working_dir or directory).absolute() / f"tasks-{os.getpid()}"
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = Settings(self._pilot(), BULK_WAIT_S if self.bulk_mode else 0.0)
        self._session = SessionProcess(self, settings, directory, self._received, self._lost)

    def read_request(self, specification: dict[str, Any] | None) -> Request:
        """Check the keys of a specification; RADICAL-Pilot checks the values.

        Raises:
            InvalidResourceSpecification: A key is not known.
        """
        given = specification or {}
        if unknown := given.keys() - KEYS:
            raise InvalidResourceSpecification(
                unknown, f"A task of a RadicalPilotExecutor can request {', '.join(sorted(KEYS))}."
            )
        return Request(options={key: value for key, value in given.items() if key != "mode"})

    def _path(self, number: int, kind: str) -> Path:
        return self._files / f"{number}.{kind}"

    def start_task(self, task: EngineTask, call: bytes, request: Request) -> None:
        """Write a call into a file, and submit a task that runs it."""
        number = task.parsl_executor_task_id
        self._path(number, "call").write_bytes(call)
        paths = [str(self._path(number, kind)) for kind in ("call", "outcome")]
        config = self._config
        description = {
            "executable": config.python,
            "arguments": ["-m", "parsl.executors.engines.call_file", *paths],
            "pre_exec": list(config.pilot_env_pre_exec),
            **request.options,
        }
        cast(SessionProcess, self._session).send(Submit(number, description))

    def _received(self, message: FromSession) -> None:
        if isinstance(message, PilotEnded):
            reason = (
                f"The pilot of executor {self.label!r} has ended: {message.state} {message.detail}".strip()
            )
            self.set_bad_state_and_fail_all(ManagerLost("pilot", self.resource, reason))
        elif isinstance(message, Ended):
            self._ended(message)

    def _ended(self, message: Ended) -> None:
        outcome = self._path(message.number, "outcome")
        packed = outcome.read_bytes() if outcome.exists() else None
        self._remove_files(message.number)
        task = cast("EngineTask | None", self._tasks.get(message.number))
        if task is None:
            return  # cancelled
        if packed is not None:
            self.task_done(task, packed)
        else:
            self.task_failed(task, self._failure(message))

    def _failure(self, message: Ended) -> BaseException:
        # RADICAL-Pilot finds reasons that the session does not check, such as memory.
        if message.state == TOO_LARGE or "can never be scheduled" in message.detail:
            return InvalidResourceSpecification(
                ("ranks", "cores_per_rank", "gpus_per_rank"),
                f"The pilot can never run the task: {message.detail}. Request less, or a larger pilot.",
            )
        if message.state == REFUSED:
            return InvalidResourceSpecification((), f"RADICAL-Pilot has refused the task: {message.detail}")
        if message.state == "CANCELED":
            return EngineTaskError(self, f"RADICAL-Pilot has cancelled the task: {message.detail}")
        reason = f"A task of RADICAL-Pilot has ended without a result: {message.detail or message.state}"
        return WorkerLost(message.number, self.resource, reason)

    def _remove_files(self, number: int) -> None:
        for kind in ("call", "outcome", "outcome.unfinished"):
            self._path(number, kind).unlink(missing_ok=True)

    def _lost(self, reason: str) -> None:
        self.set_bad_state_and_fail_all(ManagerLost("session", self.resource, reason))

    def cancel_task(self, task: EngineTask) -> bool:
        """Cancel a task, whether it waits or runs."""
        if self._session is None:
            return False
        self._session.send(Cancel(task.parsl_executor_task_id))
        return True

    def disconnect(self) -> None:
        """Close the session, by force if it takes too long, and remove the files of tasks."""
        session, self._session = self._session, None
        if session is not None:
            session.stop()
            shutil.rmtree(self._files, ignore_errors=True)

    def shutdown(self, hub: bool = True, targets: str = "all", block: bool = False) -> None:
        """Cancel what has not ended, and close the session.

        Args:
            hub: Not used; upstream's.
            targets: Not used; upstream's.
            block: Not used; upstream's.
        """
        super().shutdown()

    def prepare_restart(self) -> None:
        """Forget the run that has ended.

        Raises:
            ConfigurationError: That run has not ended.
        """
        if self._session is not None:
            raise ConfigurationError(f"RadicalPilotExecutor {self.label!r} is in use by another run")
        super().prepare_restart()
