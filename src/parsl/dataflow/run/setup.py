"""What a run has before its first task: an identifier, a directory, a log, a usage report."""

from __future__ import annotations

import os
import sys
import time

from parsl.errors import ConfigurationError

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from parsl.dataflow.config import Config
    from parsl.eventlog.records import RunBegan
    from parsl.logconfigs.base import LogConfig
    from parsl.monitoring.monitoring import MonitoringHub
    from parsl.usage_tracking.usage import UsageTracker


def new_run_id() -> str:
    """Return a random UUID (version 4) in the usual form. (The uuid module is slow to import.)"""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76) | (0x4 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def new_run_dir(parent: str, make_rundir: Callable[[str], str]) -> str:
    """Let ``make_rundir`` choose a directory for a run, make it, and return its absolute path.

    Scripts replace ``parsl.dataflow.dflow.make_rundir``, for instance to have no numbered directories.
    """
    from parsl.common.rundirs import make_directory

    try:
        run_dir = os.path.abspath(make_rundir(parent))
        make_directory(run_dir)
        return run_dir
    except OSError as error:
        raise ConfigurationError(
            f"Config: run_dir is {os.fspath(parent)!r}; no directory for this run can be made in "
            f"{os.path.abspath(parent)}: {error.strerror or error}. Name one to which you may write, "
            "Config(run_dir=...), or start the script in such a directory"
        ) from error


class Workflow:
    """What identifies a workflow across many runs.

    Attributes:
        name: The name that a MonitoringHub gives it; else that of the file that has started the run, such as
            ``"train.py"``.
    """

    def __init__(self, monitoring: MonitoringHub | None = None) -> None:
        path = _path_of_caller()
        self._given_version = None if monitoring is None else monitoring.workflow_version
        self.name = (monitoring and monitoring.workflow_name) or os.path.basename(path)
        self._path = os.path.abspath(path)  # the script may change the directory
        self._began_s = time.time()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def version(self) -> str:
        """As MonitoringHub has it; else when the file was last changed, or the run began (local time)."""
        if self._given_version is not None:
            return self._given_version
        # Not at the start: most runs do not need it, and file systems may be slow.
        try:
            changed_s = os.stat(self._path).st_mtime
        except OSError:  # typed in, or in a notebook
            changed_s = self._began_s
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(changed_s))


def describe_run(run_id: str, run_dir: str, workflow: Workflow, began_s: float) -> RunBegan:
    """Return the first record of a run's event log."""
    from parsl.common.processes import started_at
    from parsl.eventlog import records
    from parsl.version import VERSION

    pid = os.getpid()
    return records.RunBegan(
        records.FORMAT_VERSION, run_id, began_s, run_dir, workflow.name, workflow.version,
        os.uname().nodename, _user_name(), pid, started_at(pid) or 0.0, sys.version.split()[0], VERSION,
        list(sys.orig_argv),
    )  # fmt: skip


def _user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())


def _path_of_caller() -> str:
    """Return the path of the code that has called this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename


class RunRecords:
    """This process's log of a run, and the run's usage report, as far as the configuration has them."""

    def __init__(self, config: Config, run_dir: str) -> None:
        self._config = config
        self._run_dir = run_dir
        from parsl.logconfigs.handlers import silence_parsl

        silence_parsl()
        given = config.initialize_logging
        self.is_logging = given is not False
        #: What the processes of executors use for their logs; None for the logs of their own.
        self.log_config: LogConfig | None = None if isinstance(given, bool) else given
        self._end_logging: Any = None
        self._tracker: UsageTracker | None = None
        if self.is_logging:
            from pathlib import Path

            log_config = self.log_config
            if log_config is None:
                from parsl.logconfigs.file import FileLogging

                log_config = FileLogging()
            self._end_logging = log_config.initialize_logging(log_dir=Path(run_dir), log_name="parsl")
        if config.usage_tracking != 0:
            self._tracker = self.usage_tracker

    @property
    def usage_tracker(self) -> UsageTracker:
        """The usage report of the run; at level 0, which is the default, it reports nothing."""
        if self._tracker is None:
            from parsl.usage_tracking.usage import UsageTracker

            config = self._config
            self._tracker = UsageTracker(config.usage_tracking, config, config.project_name, self._run_dir)
        return self._tracker

    def end_usage_tracking(self, task_count: int, failed_count: int) -> None:
        if self._tracker is not None:
            self._tracker.end(task_count, failed_count)

    def end_logging(self) -> None:
        if self._end_logging is not None:
            self._end_logging()
