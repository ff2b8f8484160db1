"""A job's life as HTCondor has it."""

from __future__ import annotations

import os

from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE, Dialect, LaunchPlan, plain_path
from parsl.testing.schedulers.records import Job, Payload


class CondorDialect(Dialect):
    """HTCondor. A job runs in a directory of its own, with copies of its input files."""

    def job_id(self, job: Job) -> str:
        return f"{job.number}.0"

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        scratch = os.path.join(self.directory, "tmp", f"dir_{job.number}")
        script = os.path.join(self.directory, "jobs", f"{job.number}.sh")
        stdout, stderr = self.spool(job, "out"), self.spool(job, "err")
        wanted = ((stdout, job.output_path), (stderr, job.error_path))
        variables = {name: value for name, value, _ in payload.variables}
        environment = {
            "PATH": f"{self.settings.bin_directory}:{plain_path()}",
            **variables,
            "_CONDOR_SCRATCH_DIR": scratch,
            "_CONDOR_SLOT": "slot1",
            "TMPDIR": scratch,
            CLUSTER_VARIABLE: self.directory,
            **self.claimed_cpus(job),
        }
        return LaunchPlan(
            program="/bin/sh",
            arguments=("/bin/sh", script),
            stdin_text="",
            environment=environment,
            workdir=scratch,
            stdout=stdout,
            stderr=stderr,
            deliveries=tuple((source, target) for source, target in wanted if target),
            script=(script, payload.script),
            directories=(scratch,),
        )
