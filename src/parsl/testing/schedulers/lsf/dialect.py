"""A job's life as LSF has it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE, Dialect, LaunchPlan
from parsl.testing.schedulers.records import ABORTED, DELETED, OVER_WALLTIME, Job, Payload


def _interpreter(script: str) -> tuple[str, ...]:
    """Return the program that a script names in its first line, and its arguments; else the shell."""
    first_line = script.partition("\n")[0]
    words = first_line[2:].split() if first_line.startswith("#!") else []
    return tuple(words) or ("/bin/sh",)


class LSFDialect(Dialect):
    """LSF. A job gets the submitter's environment, and starts in its working directory.

    A script is run by what its first line names.
    """

    exit_statuses: Mapping[str, int] = {DELETED: 130, ABORTED: 130, OVER_WALLTIME: 140}

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        hostfile = os.path.join(self.directory, "aux", f"{job.number}.hostfile")
        script = os.path.join(self.directory, "jobs", f"{job.number}.sh")
        stdout, stderr = self.spool(job, "out"), self.spool(job, "err")
        deliveries = [(stdout, job.output_path)] if job.output_path else []
        if job.error_path:
            deliveries.append((stderr, job.error_path))
        else:
            stderr = stdout
        hosts = [place.host for place in job.placements for _ in range(place.processes)]
        counted = " ".join(f"{place.host} {place.processes}" for place in job.placements)
        variables = {name: value for name, value, _ in payload.variables}
        environment = {
            **variables,
            "LSB_JOBID": str(job.number),
            "LSB_BATCH_JID": str(job.number),
            "LSB_JOBNAME": job.name,
            "LSB_QUEUE": job.queue,
            "LSB_PROJECT_NAME": job.account or "default",
            "LSB_HOSTS": " ".join(hosts),
            "LSB_MCPU_HOSTS": counted,
            "LSB_DJOB_HOSTFILE": hostfile,
            "LSB_DJOB_NUMPROC": str(len(hosts)),
            "LSB_SUB_HOST": self.settings.login_host,
            "LS_SUBCWD": job.workdir,
            CLUSTER_VARIABLE: self.directory,
            **self.claimed_cpus(job),
        }
        interpreter = _interpreter(payload.script)
        return LaunchPlan(
            program=interpreter[0],
            arguments=(*interpreter, script),
            stdin_text="",
            environment=environment,
            workdir=job.workdir,
            stdout=stdout,
            stderr=stderr,
            deliveries=tuple(deliveries),
            files=((hostfile, "".join(f"{host}\n" for host in hosts)),),
            script=(script, payload.script),
        )
