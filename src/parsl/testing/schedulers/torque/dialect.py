"""A job's life as Torque has it."""

from __future__ import annotations

from collections.abc import Mapping

from parsl.testing.schedulers.dialect import LaunchPlan
from parsl.testing.schedulers.pbs.dialect import PBSDialect, short
from parsl.testing.schedulers.records import ABORTED, DELETED, OVER_WALLTIME, Job, Payload

_SIGTERM_STATUS = 271


class TorqueDialect(PBSDialect):
    """Torque: as PBS Pro, but with short names in the node file, and one exit status for all that it ends."""

    exit_statuses: Mapping[str, int] = dict.fromkeys((ABORTED, DELETED, OVER_WALLTIME), _SIGTERM_STATUS)

    def launch_plan(self, job: Job, payload: Payload) -> LaunchPlan:
        plan = super().launch_plan(job, payload)
        [(path, text)] = plan.files
        names = "".join(short(line) + "\n" for line in text.splitlines())
        per_node = job.chunks[0].processes
        variables = {
            "PBS_NUM_NODES": str(job.node_count),
            "PBS_NUM_PPN": str(per_node),
            "PBS_NP": str(len(text.splitlines())),
        }
        return plan._replace(files=((path, names),), environment={**plan.environment, **variables})

    def run_comment(self, job: Job) -> str:
        return ""

    def end_comment(self, job: Job) -> str:
        return job.comment
