"""How the life of a job differs from scheduler to scheduler."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module

from parsl.testing.schedulers.launch import LaunchPlan
from parsl.testing.schedulers.records import Job, Payload, Policy, Settings

#: The variable of each job that names the directory of its cluster.
CLUSTER_VARIABLE = "PARSL_STAND_IN_CLUSTER"
#: A PATH like that of a login shell.
PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


class Dialect:
    """How a scheduler starts jobs, and what it reports about them. Stateless."""

    #: The exit statuses of jobs that the scheduler ended; for other reasons the status of the shell counts.
    exit_statuses: Mapping[str, int] = {}
    #: The exit status of a job whose shell does not exist.
    no_shell_status = 127
    #: The number that is added to a signal that killed the shell.
    signal_base = 128

    def __init__(self, settings: Settings, directory: str) -> None:
        self.settings = settings
        self.directory = directory

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    def job_id(self, job: Job) -> str:
        """Return the id that users see."""
        return str(job.number)

    def cluster_variables(self, job: Job) -> dict[str, str]:
        """Return the variables that the stand-in itself adds to a job's environment."""
        variables = {CLUSTER_VARIABLE: self.directory}
        if self.policy.claims_cpus and job.placements:
            variables["PARSL_CORES"] = str(job.placements[0].cpus)
        return variables

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        raise NotImplementedError

    def exit_status(self, reason: str, wait_status: int) -> int:
        """Return the exit status to report; ``reason`` is empty if the scheduler did not end the job."""
        if reason in self.exit_statuses:
            return self.exit_statuses[reason]
        if os.WIFSIGNALED(wait_status):
            return self.signal_base + os.WTERMSIG(wait_status)
        return os.WEXITSTATUS(wait_status)

    def wait_comment(self, reason: str) -> str:
        """Return the comment of a waiting job; ``reason`` is one of :mod:`.dispatch`."""
        return reason

    def run_comment(self, job: Job) -> str:
        """Return the comment of a job that has just started."""
        return ""

    def end_comment(self, job: Job) -> str:
        """Return the comment of a job that has ended."""
        return job.comment

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        """Return the line that is added to a job's stderr when it exceeds its walltime."""
        return ""

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)


def load_dialect(settings: Settings, directory: str) -> Dialect:
    """Return the dialect that a cluster's settings name, as ``module:class``."""
    module, _, name = settings.dialect.partition(":")
    dialect: Dialect = getattr(import_module(module), name)(settings, directory)
    return dialect
