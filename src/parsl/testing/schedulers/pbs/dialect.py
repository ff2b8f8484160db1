"""A job's life as PBS has it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from parsl.testing.schedulers import dispatch
from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE, Dialect, LaunchPlan, plain_path
from parsl.testing.schedulers.pbs.environment import job_environment
from parsl.testing.schedulers.pbs.ids import full_id
from parsl.testing.schedulers.records import (
    ABORTED,
    DELETED,
    NODE_FAILED,
    OVER_WALLTIME,
    REQUEUED,
    Job,
    Payload,
    Placement,
)

_SIGTERM_STATUS = 256 + 15
_WAIT_COMMENTS = {
    dispatch.TOO_FEW_NODES: "Not Running: Not enough free nodes available",
    dispatch.NEVER_ENOUGH_NODES: "Can Never Run: Not enough total nodes available",
    dispatch.NEVER_ENOUGH_CPUS: "Can Never Run: Insufficient amount of resource: ncpus",
    dispatch.RUN_LIMIT: "Not Running: User has reached queue running job limit.",
}


class PBSDialect(Dialect):
    """PBS Pro."""

    exit_statuses: Mapping[str, int] = {
        # The login shell dies from SIGTERM, whatever becomes of the script.
        DELETED: _SIGTERM_STATUS,
        ABORTED: _SIGTERM_STATUS,
        OVER_WALLTIME: -29,
        REQUEUED: -11,
        NODE_FAILED: -20,
    }
    no_shell_status = 254

    def job_id(self, job: Job) -> str:
        return full_id(job.number, self.settings.server)

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        job_id = self.job_id(job)
        nodefile = os.path.join(self.directory, "aux", job_id)
        scratch = os.path.join(self.directory, "tmp", f"pbs.{job_id}")
        script = os.path.join(self.directory, "jobs", f"{job_id}.SC")
        variables = {name: value for name, value, _ in payload.variables}
        home = variables.get("PBS_O_HOME") or "/"
        shell = job.shell or variables.get("PBS_O_SHELL") or "/bin/sh"
        stdout, stderr, deliveries = self._streams(job, home)
        environment = job_environment(job, payload, self.settings, job_id, nodefile, scratch)
        environment["PATH"] = f"{self.settings.bin_directory}:{plain_path()}"
        environment[CLUSTER_VARIABLE] = self.directory
        environment.update(self.claimed_cpus(job))
        return LaunchPlan(
            program=shell,
            arguments=(f"-{os.path.basename(shell)}" if self.policy.login_shell else shell,),
            # The profile may have set PATH anew. The script is run as a program, so it may have a "#!".
            stdin_text=f"PATH={_quoted(self.settings.bin_directory)}:$PATH\n{_quoted(script)}\n",
            environment=environment,
            workdir=home if os.path.isdir(home) else "/",
            stdout=stdout,
            stderr=stderr,
            deliveries=deliveries,
            files=((nodefile, nodefile_text(job.placements)),),
            script=(script, payload.script),
            directories=(scratch,),
        )

    def _streams(self, job: Job, home: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Say where the output goes while the job runs, and what of it is moved where afterwards."""
        paths = {"o": job.output_path, "e": job.error_path}
        running: dict[str, str] = {}
        deliveries = []
        for letter, suffix in (("o", "OU"), ("e", "ER")):
            wanted = paths[letter]
            if letter in job.keep and "d" not in job.keep:
                wanted = os.path.join(home, f"{job.name}.{letter}{job.number}")
            if letter in job.keep and os.path.isdir(os.path.dirname(wanted)):
                running[letter] = wanted
            else:
                running[letter] = self.spool(job, suffix)
                deliveries.append((running[letter], wanted))
        if job.join in ("oe", "eo"):
            kept, gone = job.join[0], job.join[1]
            deliveries = [pair for pair in deliveries if pair[0] != running[gone]]
            running[gone] = running[kept]
        return running["o"], running["e"], tuple(deliveries)

    def signal_status(self, number: int) -> int:
        return 256 + number

    def wait_comment(self, reason: str) -> str:
        return _WAIT_COMMENTS[reason]

    def run_comment(self, job: Job) -> str:
        day, minute = time.strftime("%a %b %d|%H:%M", time.localtime(job.started_s)).split("|")
        return f"Job run at {day} at {minute} on {vnodes(job.placements)}"

    def end_comment(self, job: Job) -> str:
        if job.end_reason == OVER_WALLTIME:
            return f"{job.comment} and exceeded resource walltime"
        if job.end_reason in (DELETED, ABORTED):
            return job.comment
        return f"{job.comment} and {'finished' if job.exit_status == 0 else 'failed'}"

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        limit = int(job.walltime_s or 0)
        return f"=>> PBS: job killed: walltime {max(int(elapsed_s), limit + 1)} exceeded limit {limit}\n"


def vnodes(placements: tuple[Placement, ...]) -> str:
    """Write a job's nodes as ``exec_vnode`` has them."""
    return "+".join(f"({short(each.host)}:ncpus={each.cpus})" for each in placements)


def exec_hosts(placements: tuple[Placement, ...]) -> str:
    """Write a job's nodes as ``exec_host`` has them."""
    return "+".join(f"{short(each.host)}/0*{each.cpus}" for each in placements)


def nodefile_text(placements: tuple[Placement, ...]) -> str:
    """Write the node file: the full name of each node, once for each of its processes."""
    return "".join(f"{each.host}\n" * each.processes for each in placements)


def short(host: str) -> str:
    """Cut a host's name to what ``hostname`` prints."""
    return host.partition(".")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
