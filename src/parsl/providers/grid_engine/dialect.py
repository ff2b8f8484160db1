"""How Grid Engine is spoken to."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import Question, Search
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.refusal import RefusalRules
from parsl.providers.grid_engine import answers
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.providers.batch.answers import JobRecord

_TERSE_ID = re.compile(r"\s*(?P<id>\d+)(?:\.\d+-\d+:\d+)?\s*")
_SUBMITTED = re.compile(r"Your job(?:-array)? (?P<id>\d+)")


class GridEngineDialect(Dialect):
    """Grid Engine: qsub, qstat, qdel; qacct for how a job has ended, qalter for whether it can ever run.

    qstat lists all jobs of the user, and nothing of a job that has ended; qacct has that some seconds
    later.
    """

    unreachable = answers.UNREACHABLE
    gone = r"job \"?(?P<id>\d+)\"? (?:does not exist|is already in deletion)"
    refusals = RefusalRules(
        transient=(answers.UNREACHABLE, r"only \d+ jobs are allowed|too many jobs|try again"),
        permanent=(
            r"unknown (?:queue|resource|project|option)|no suitable queues|invalid (?:option|queue|project)",
            r"requested parallel environment|does not exist|no permission|not allowed|denied",
            r"job was rejected",
            r"no such file|unable to read script|wrong number format|ERROR! ",
        ),
    )
    batch_size = 1_000_000  # the table is of all jobs anyway
    history_batch_size = 1
    forgetful_s = 20.0

    def submit_command(self, path: str) -> list[str]:
        return ["qsub", "-terse", path]

    def read_job_id(self, stdout: str) -> str | None:
        for line in reversed(stdout.splitlines()):
            if match := _TERSE_ID.fullmatch(line) or _SUBMITTED.search(line):
                return match["id"]
        return None

    def questions(self) -> Sequence[Question]:
        return (Question(lambda job_ids: ["qstat"], answers.read_qstat),)

    def history_question(self) -> Question | None:
        return Question(_ask_account, answers.read_qacct)

    def single_question(self) -> Question | None:
        return Question(_ask_details, answers.read_details)

    def detail_question(self) -> Question | None:
        return Question(_ask_details, answers.read_details)

    def wants_detail(self, record: JobRecord) -> bool:
        return record.state is JobState.HELD

    def doubt_question(self) -> Question | None:
        return Question(_ask_verification, answers.read_verification)

    def search(self, name: str) -> Search | None:
        return Search(["qstat", "-j", name], answers.read_ids)

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qdel", *job_ids]


def _ask_account(job_ids: Sequence[str]) -> list[str]:
    return ["qacct", "-j", job_ids[0]]


def _ask_verification(job_ids: Sequence[str]) -> list[str]:
    return ["qalter", "-w", "v", ",".join(job_ids)]


def _ask_details(job_ids: Sequence[str]) -> list[str]:
    return ["qstat", "-j", ",".join(job_ids)]
