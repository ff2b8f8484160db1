"""What the stand-ins of different schedulers do not have in common about a job's life."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import NamedTuple

from parsl.testing.schedulers.records import Job, Payload, Policy, Settings

#: In the environment of each job: the directory of the cluster that runs it.
CLUSTER_VARIABLE = "PARSL_STAND_IN_CLUSTER"
_DIALECTS = {
    "pbs": ("parsl.testing.schedulers.pbs.dialect", "PBSDialect"),
    "torque": ("parsl.testing.schedulers.torque.dialect", "TorqueDialect"),
    "lsf": ("parsl.testing.schedulers.lsf.dialect", "LSFDialect"),
    "condor": ("parsl.testing.schedulers.condor.dialect", "CondorDialect"),
}
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127


class LaunchPlan(NamedTuple):
    """All that a runner needs to start a job."""

    program: str
    arguments: tuple[str, ...]
    stdin_text: str
    environment: dict[str, str]
    workdir: str
    #: Where its output goes while it runs.
    stdout: str
    stderr: str
    #: What is moved where at its end.
    deliveries: tuple[tuple[str, str], ...] = ()
    #: Files to write before it starts, with their texts; removed at its end.
    files: tuple[tuple[str, str], ...] = ()
    #: The script: a file that is written, is executable, and stays.
    script: tuple[str, str] = ("", "")
    #: Directories to make before it starts; removed at its end.
    directories: tuple[str, ...] = ()


class Dialect:
    """The ways of a scheduler. Stateless.

    Args:
        settings: The cluster.
        directory: Where its state is.
    """

    #: The exit statuses of jobs that the scheduler ended; None: as the shell ended.
    exit_statuses: Mapping[str, int] = {}
    #: The exit status of a job whose shell there is not.
    no_shell_status = _NOT_FOUND

    def __init__(self, settings: Settings, directory: str) -> None:
        self.settings = settings
        self.directory = directory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.directory}>"

    @property
    def policy(self) -> Policy:
        """The rules of the cluster."""
        return self.settings.policy

    def job_id(self, job: Job) -> str:
        """Return the id that users see."""
        return str(job.number)

    def claimed_cpus(self, job: Job) -> dict[str, str]:
        """Return what makes managers believe in a node's CPUs, if they should."""
        if not self.policy.claims_cpus or not job.placements:
            return {}
        return {"PARSL_CORES": str(job.placements[0].cpus)}

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        """Say how a job that has its nodes is started."""
        raise NotImplementedError

    def exit_status(self, reason: str, wait_status: int) -> int:
        """Translate how a job's shell ended.

        Args:
            reason: Why the scheduler ended it; empty if it did not.
            wait_status: As from ``os.waitpid``.
        """
        if reason in self.exit_statuses:
            return self.exit_statuses[reason]
        if os.WIFSIGNALED(wait_status):
            return self.signal_status(os.WTERMSIG(wait_status))
        return os.WEXITSTATUS(wait_status)

    def signal_status(self, number: int) -> int:
        """Return the exit status of a job whose shell died from a signal."""
        return 128 + number

    def wait_comment(self, reason: str) -> str:
        """Say why a job waits; ``reason`` is one of :mod:`parsl.testing.schedulers.dispatch`."""
        return reason

    def run_comment(self, job: Job) -> str:
        """Say where a job runs."""
        return ""

    def end_comment(self, job: Job) -> str:
        """Say how a job ended."""
        return job.comment

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        """Return what a job's stderr says when its time is over."""
        return ""

    def spool(self, job: Job, suffix: str) -> str:
        """Return a path for what a job prints while it runs."""
        return os.path.join(self.directory, "spool", f"{self.job_id(job)}.{suffix}")


def plain_path() -> str:
    """Return a PATH as a login shell would have it."""
    return "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def find_dialect(settings: Settings, directory: str) -> Dialect:
    """Return the dialect of a cluster."""
    from importlib import import_module

    module, name = _DIALECTS[settings.dialect]
    dialect: Dialect = getattr(import_module(module), name)(settings, directory)
    return dialect


#: Signals that Python, or whoever started us, may ignore, and programs do not expect to be.
RESET_SIGNALS = (signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
