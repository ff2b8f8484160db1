"""How HTCondor is spoken to."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import Question, Search
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.refusal import RefusalRules
from parsl.providers.condor import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ATTRIBUTES = (
    "ClusterId,ProcId,JobStatus,ExitCode,ExitBySignal,ExitSignal,HoldReason,RemoveReason,EnteredCurrentStatus"
)
_SUBMITTED = re.compile(r"\d+ job\(s\) submitted to cluster (?P<id>\d+)")


class CondorDialect(Dialect):
    """HTCondor: condor_submit, condor_q, condor_rm; condor_history for jobs that have left the queue.

    A job's id is that of its cluster and its process, ``"12.0"``.
    """

    unreachable = answers.UNREACHABLE
    gone = r"[Jj]ob (?P<id>\d+\.\d+) (?:not found|has already|is already)"
    refusals = RefusalRules(
        transient=(answers.UNREACHABLE, r"max_jobs|too many|try again"),
        permanent=(
            r"parse error|syntax error|illegal|invalid|failed to parse",
            r"no 'executable'|unknown (?:command|universe)",
            r"can't open|cannot access|no such file|permission denied|not authorized|not allowed",
        ),
    )
    submit_suffix = ".submit"
    batch_size = 100
    history_batch_size = 1

    def submit_command(self, path: str) -> list[str]:
        return ["condor_submit", path]

    def read_job_id(self, stdout: str) -> str | None:
        match = _SUBMITTED.search(stdout)
        return f"{match['id']}.0" if match else None

    def questions(self) -> Sequence[Question]:
        return (Question(_ask_queue, answers.read_jobs),)

    def history_question(self) -> Question | None:
        return Question(_ask_history, answers.read_jobs)

    def single_question(self) -> Question | None:
        return Question(_ask_queue, answers.read_queue_of_one)

    def search(self, name: str) -> Search | None:
        constraint = f'JobBatchName == "{name}"'
        command = ["condor_q", "-constraint", constraint, "-json", "-attributes", _ATTRIBUTES]
        return Search(command, answers.read_ids)

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["condor_rm", *job_ids]


def _ask_queue(job_ids: Sequence[str]) -> list[str]:
    return ["condor_q", *job_ids, "-json", "-attributes", _ATTRIBUTES]


def _ask_history(job_ids: Sequence[str]) -> list[str]:
    return ["condor_history", *job_ids, "-limit", str(len(job_ids)), "-json", "-attributes", _ATTRIBUTES]
