"""How PBS starts and ends jobs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from parsl.testing.schedulers import dispatch, records
from parsl.testing.schedulers.dialect import PLAIN_PATH, Dialect
from parsl.testing.schedulers.launch import LaunchPlan
from parsl.testing.schedulers.pbs.notation import full_id, nodefile_text, vnodes
from parsl.testing.schedulers.records import Job, Payload, Settings

_SIGTERM_STATUS = 256 + 15
_COOKIE_DIGITS = 32
_WAIT_COMMENTS = {
    dispatch.TOO_FEW_NODES: "Not Running: Not enough free nodes available",
    dispatch.NEVER_ENOUGH_NODES: "Can Never Run: Not enough total nodes available",
    dispatch.NEVER_ENOUGH_CPUS: "Can Never Run: Insufficient amount of resource: ncpus",
    dispatch.RUN_LIMIT: "Not Running: User has reached queue running job limit.",
}


class PBSDialect(Dialect):
    """PBS Pro."""

    exit_statuses: Mapping[str, int] = {
        # The login shell dies from SIGTERM, whatever the script does.
        records.DELETED: _SIGTERM_STATUS,
        records.ABORTED: _SIGTERM_STATUS,
        records.OVER_WALLTIME: -29,
        records.REQUEUED: -11,
        records.NODE_FAILED: -20,
    }
    no_shell_status = 254
    signal_base = 256

    def job_id(self, job: Job) -> str:
        return full_id(job.number, self.settings.server)

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        job_id = self.job_id(job)
        nodefile = self.path("aux", job_id)
        scratch = self.path("tmp", f"pbs.{job_id}")
        script = self.path("jobs", f"{job_id}.SC")
        variables = {name: value for name, value, _ in payload.variables}
        home = variables.get("PBS_O_HOME") or "/"
        shell = job.shell or variables.get("PBS_O_SHELL") or "/bin/sh"
        stdout, stderr, deliveries = self._streams(job, home)
        environment = job_environment(job, payload, self.settings, job_id, nodefile, scratch)
        environment["PATH"] = f"{self.settings.bin_directory}:{PLAIN_PATH}"
        environment.update(self.cluster_variables(job))
        return LaunchPlan(
            program=shell,
            arguments=(f"-{os.path.basename(shell)}" if self.policy.login_shell else shell,),
            # The profile may have replaced PATH. The script is executed, so a "#!" line takes effect.
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
        """Return the files of the output while the job runs, and the copies to make afterwards."""
        paths = {"o": job.output_path, "e": job.error_path}
        running: dict[str, str] = {}
        deliveries = []
        for letter, suffix in (("o", "OU"), ("e", "ER")):
            path = paths[letter]
            if letter in job.keep and "d" not in job.keep:
                path = os.path.join(home, f"{job.name}.{letter}{job.number}")
            if letter in job.keep and os.path.isdir(os.path.dirname(path)):
                running[letter] = path
            else:
                running[letter] = self.path("spool", f"{self.job_id(job)}.{suffix}")
                deliveries.append((running[letter], path))
        if job.join in ("oe", "eo"):
            kept, dropped = job.join[0], job.join[1]
            deliveries = [pair for pair in deliveries if pair[0] != running[dropped]]
            running[dropped] = running[kept]
        return running["o"], running["e"], tuple(deliveries)

    def wait_comment(self, reason: str) -> str:
        return _WAIT_COMMENTS[reason]

    def run_comment(self, job: Job) -> str:
        day, minute = time.strftime("%a %b %d|%H:%M", time.localtime(job.started_s)).split("|")
        return f"Job run at {day} at {minute} on {vnodes(job.placements)}"

    def end_comment(self, job: Job) -> str:
        if job.end_reason == records.OVER_WALLTIME:
            return f"{job.comment} and exceeded resource walltime"
        if job.end_reason in (records.DELETED, records.ABORTED):
            return job.comment
        return f"{job.comment} and {'finished' if job.exit_status == 0 else 'failed'}"

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        limit = int(job.walltime_s or 0)
        return f"=>> PBS: job killed: walltime {max(int(elapsed_s), limit + 1)} exceeded limit {limit}\n"


def job_environment(
    job: Job, payload: Payload, settings: Settings, job_id: str, nodefile: str, scratch: str
) -> dict[str, str]:
    """Return the environment of a job; the submitter's variables are missing unless they were exported."""
    variables = {name: value for name, value, _ in payload.variables}
    user = variables.get("PBS_O_LOGNAME", job.owner)
    cpus = str(job.placements[0].cpus if job.placements else 1)
    home = variables.get("PBS_O_HOME", "/")
    environment = {
        **variables,
        "ENVIRONMENT": "BATCH",
        "HOME": home,
        "LOGNAME": user,
        "NCPUS": cpus,
        "OMP_NUM_THREADS": cpus,
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBCOOKIE": f"{abs(hash((job_id, job.started_s))):0{_COOKIE_DIGITS}X}",
        "PBS_JOBDIR": home,
        "PBS_JOBID": job_id,
        "PBS_JOBNAME": job.name,
        "PBS_MOMPORT": "15003",
        "PBS_NODEFILE": nodefile,
        "PBS_NODENUM": "0",
        "PBS_QUEUE": job.queue,
        "PBS_TASKNUM": "1",
        "SHELL": job.shell or variables.get("PBS_O_SHELL", "/bin/sh"),
        "TMPDIR": scratch,
        "USER": user,
    }
    if job.account:
        environment["PBS_ACCOUNT"] = job.account
    for name in ("LANG", "TZ"):
        if f"PBS_O_{name}" in variables:
            environment[name] = variables[f"PBS_O_{name}"]
    return environment


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
