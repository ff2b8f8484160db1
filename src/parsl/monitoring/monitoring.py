"""MonitoringHub: records a run in a database while it is in progress."""

from __future__ import annotations

import os

from parsl import validate
from parsl.common.notices import warn_user
from parsl.common.parameter_names import refuse_unknown
from parsl.common.representation import RepresentationMixin
from parsl.monitoring.errors import MonitoringWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from parsl.executors.base import ParslExecutor
    from parsl.logconfigs.base import LogConfig
    from parsl.monitoring.intake import MessageIntake
    from parsl.monitoring.writer_process import WriterProcess

#: How long the end of a run waits for the database, in seconds: with all else at most one.
_CLOSE_S = 0.9
#: Parameters of earlier years: nothing listens on a port, and all messages are in the event log.
_WITHOUT_EFFECT = frozenset(["client_address", "client_port_range", "logdir", "logging_level"])


def _check_endpoint(owner: object, name: str, value: object) -> str | None:
    text = validate.text(owner, name, value, optional=True, allow_empty=False)
    if text is not None:
        from parsl.monitoring.database.endpoint import check_endpoint, without_password

        if wrong := check_endpoint(text):
            raise validate.ParameterValueError(
                f"{type(owner).__name__}: {name} is {without_password(text)!r}; {wrong}."
            )
    return text


class MonitoringHub(RepresentationMixin):
    """Records a run in a database: pass it as ``Config(monitoring=MonitoringHub(...))``.

    A separate process writes the database, from the event log of the run. A database that is locked, full
    or unreachable only delays its rows. ``parsl monitoring RUN`` adds what such a process could not write.

    Args:
        hub_address, hub_port_range, hub_port: No effect: nothing listens on a port.
        workflow_name: The name of the workflow; None for the name of the script.
        workflow_version: Its version; None for the time when the script was changed.
        logging_endpoint: The database, ``sqlite:///PATH`` (four slashes for an absolute path) or
            ``postgresql://USER@HOST/DATABASE``; None for ``monitoring.db`` in the directory of the runs.
            From the start of a run on, the attribute is the URL of the database.
        monitoring_debug: Whether to log each transaction in ``monitoring.log`` of the run.
        resource_monitoring_enabled: Whether to record what the processes of each task use.
        resource_monitoring_interval: The time between two samples of that, in seconds. Each task has a last
            sample, however short it is.
        older: ``client_address``, ``client_port_range``, ``logdir`` and ``logging_level`` of earlier years
            have no effect.

    Raises:
        ParameterError: A parameter is wrong; the message names it and what is allowed.
    """

    workflow_name = validate.Text(optional=True, allow_empty=False)
    workflow_version = validate.Text(optional=True)
    logging_endpoint = validate.Custom(_check_endpoint)
    monitoring_debug = validate.Boolean()
    resource_monitoring_enabled = validate.Boolean()
    resource_monitoring_interval = validate.Number(above=0)

    def __init__(
        self,
        hub_address: Any = None,
        hub_port_range: Any = None,
        hub_port: Any = None,
        workflow_name: str | None = None,
        workflow_version: str | None = None,
        logging_endpoint: str | None = None,
        monitoring_debug: bool = False,
        resource_monitoring_enabled: bool = True,
        resource_monitoring_interval: float = 30,
        **older: Any,
    ) -> None:
        if not _WITHOUT_EFFECT.issuperset(older):
            from inspect import signature

            names = [*signature(MonitoringHub).parameters, *_WITHOUT_EFFECT]
            refuse_unknown("MonitoringHub", list(older), [name for name in names if name != "older"])
        self.hub_address = hub_address
        self.hub_port_range = hub_port_range
        self.hub_port = hub_port
        validate.assign(self, locals())
        self._writer: WriterProcess | None = None
        self._intake: MessageIntake | None = None
        self._run_dir = ""
        self._default_endpoint: str | None = None
        #: Appends a record to the event log of the run: the name of its class, and its fields.
        self.note: Callable[..., None] | None = None

    @property
    def sample_interval_s(self) -> float | None:
        """The time between two resource samples of a task in seconds; None without resource monitoring."""
        return self.resource_monitoring_interval if self.resource_monitoring_enabled else None

    def start(
        self,
        dfk_run_dir: str,
        config_run_dir: str | os.PathLike[str],
        log_config: LogConfig | None,
    ) -> None:
        """Start the process that writes a run. Raises nothing: the run continues without it, after a warning.

        Args:
            dfk_run_dir: The directory of the run, with its event log.
            config_run_dir: The directory of the runs.
            log_config: No effect.
        """
        from parsl.monitoring.database.endpoint import absolute_endpoint, default_endpoint
        from parsl.monitoring.settings import Settings, write_settings
        from parsl.monitoring.writer_process import WriterProcess

        self._run_dir = dfk_run_dir
        if self.logging_endpoint in (None, self._default_endpoint):  # of an earlier run, perhaps elsewhere
            self.logging_endpoint = self._default_endpoint = default_endpoint(config_run_dir)
        where = absolute_endpoint(self.logging_endpoint)
        try:
            write_settings(dfk_run_dir, Settings(where, self.sample_interval_s, self.monitoring_debug))
        except OSError as error:
            warn_user(
                f"The monitoring database lacks this run: {error}. Later, `parsl monitoring {dfk_run_dir}` "
                "writes it",
                MonitoringWarning,
            )
            return
        self._writer = WriterProcess(dfk_run_dir)

    def attach(self, executor: ParslExecutor) -> None:
        """Request resource samples, and receive the messages of an executor with a radio or of its own kind.

        With a radio of another package, tasks send their samples over that.

        Args:
            executor: The executor, which has not started yet.
        """
        executor.wrap_function = None
        executor.resource_interval_s = self.sample_interval_s
        radio = executor.remote_monitoring_radio
        is_own = type(executor).__module__.startswith("parsl.")
        if self.note is None or (radio is None and is_own):
            return
        from parsl.monitoring.intake import MessageIntake

        if self._intake is None:
            self._intake = MessageIntake(self.note)
        executor.monitoring_messages = self._intake.messages
        if radio is not None:
            executor.monitoring_receiver = self._intake.receive(radio, self._run_dir)
            if not type(radio).__module__.startswith("parsl."):
                self._report_by(radio, executor)

    def _report_by(self, radio: Any, executor: ParslExecutor) -> None:
        """Let tasks send their samples over a radio of another package, instead of with their results."""
        from parsl.monitoring.remote import Reporting

        executor.resource_interval_s = None
        interval_s = self.sample_interval_s if executor.monitor_resources() else None
        executor.wrap_function = Reporting(radio, executor.run_id, interval_s).wrap

    def end_messages(self) -> None:
        """Take the last messages of radios, before the event log of the run ends."""
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.close()

    def close(self) -> None:
        """Let the process write the rest; return after a second at most, and warn if it continues."""
        writer, self._writer = self._writer, None
        if writer is not None and not writer.close(_CLOSE_S):
            warn_user(
                f"The monitoring database is being completed by process {writer.pid}, which continues "
                "after the end of this script",
                MonitoringWarning,
            )
