"""``qdel``: requests the end of jobs, and does not wait for it."""

from __future__ import annotations

from parsl.testing.schedulers.commands import Answer, Call
from parsl.testing.schedulers.pbs.command import PBSCommand
from parsl.testing.schedulers.pbs.notation import full_id, parse_id
from parsl.testing.schedulers.pbs.qsub import user_name
from parsl.testing.schedulers.pbs.refusals import JOB_FINISHED, UNKNOWN_JOB, Refusal
from parsl.testing.schedulers.records import FINISHED, Job, Settings
from parsl.testing.schedulers.server import delete_job
from parsl.testing.schedulers.store import Transaction


class Qdel(PBSCommand):
    """``qdel``."""

    name = "qdel"
    flags = "x"
    valued = "W"
    usage = "usage:\n\tqdel [-W force|suppress_email=X] [-x] job_identifier...\n"

    def execute(self, call: Call) -> Answer:
        _, operands = self.parse(call.arguments)
        refusals = []
        with call.store.transaction() as state:
            for operand in operands:
                try:
                    self._delete(state, operand, call.settings)
                except Refusal as refusal:
                    refusals.append(refusal)
        return Answer("", *self.summarize(refusals))

    def _delete(self, state: Transaction, operand: str, settings: Settings) -> None:
        number = parse_id(operand, settings.server)
        if number is None:
            raise Refusal(f"illegally formed job identifier: {operand}", 1)
        job = state.job(number)
        if job is None or job.forgotten:
            raise self.unknown_job(operand, operand if number < 0 else full_id(number, settings.server))
        if job.state == FINISHED:
            raise self.finished_job(operand, full_id(number, settings.server), settings)
        delete_job(state, job, *self.comments(job, settings))

    def unknown_job(self, operand: str, job_id: str) -> Refusal:
        """Return the refusal of a job that the server does not know."""
        return Refusal(f"Unknown Job Id {job_id}", UNKNOWN_JOB)

    def finished_job(self, operand: str, job_id: str, settings: Settings) -> Refusal:
        """Return the refusal of a job that has ended."""
        if settings.policy.history:
            return Refusal(f"Job has finished {job_id}", JOB_FINISHED)
        return self.unknown_job(operand, job_id)

    def comments(self, job: Job, settings: Settings) -> tuple[str, str]:
        """Return the new comments of a job, if it runs and if it waits."""
        user = f"{user_name()}@{settings.login_host}"
        waiting = f"{job.comment} and terminated" if job.comment else ""
        return f"{job.comment} and terminated by {user}", waiting


main = Qdel.main
