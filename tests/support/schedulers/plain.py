"""What the stand-ins for other schedulers than PBS have in common."""

from __future__ import annotations

from collections.abc import Mapping

from parsl.testing.schedulers.command import Answer, Call, Command
from parsl.testing.schedulers.dialect import PBSDialect
from parsl.testing.schedulers.records import Job


class PlainCommand(Command):
    """A command that cannot reach its scheduler prints a message without a format of its own."""

    def unreachable(self, call: Call) -> Answer:
        return Answer("", f"{self.name}: cannot reach the scheduler: Connection refused\n", 255)


class PlainDialect(PBSDialect):
    """A scheduler with the exit statuses of shells, and without comments of its own."""

    exit_statuses: Mapping[str, int] = {}
    no_shell_status = 127
    signal_base = 128

    def job_id(self, job: Job) -> str:
        return str(job.number)

    def run_comment(self, job: Job) -> str:
        return ""

    def end_comment(self, job: Job) -> str:
        return job.comment

    def overtime_message(self, job: Job, elapsed_s: float) -> str:
        return ""
