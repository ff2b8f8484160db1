"""How LSF is spoken to."""

from __future__ import annotations

import re

from parsl.providers.batch.answers import Question, Search
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.refusal import RefusalRules
from parsl.providers.lsf import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = "jobid stat exit_code exit_reason pend_reason delimiter='|'"
_SUBMITTED = re.compile(r"Job <(?P<id>\d+)> is submitted")


class LSFDialect(Dialect):
    """LSF: bsub, bjobs, bkill. It forgets a job an hour after its end (CLEAN_PERIOD).

    Args:
        reads_stdin: Whether bsub is given the job script on its standard input.
    """

    unreachable = answers.UNREACHABLE
    gone = r"Job <(?P<id>\d+)>: (?:No matching job found|Job has already finished)"
    refusals = RefusalRules(
        transient=(
            answers.UNREACHABLE,
            r"job threshold reached|job limit .* reached|queue .* (?:closed|inactive)",
        ),
        permanent=(
            r"no such queue|no such project|bad (?:queue|project|host|resource|user)",
            r"user cannot use|cannot submit|permission denied|not authorized",
            r"cannot exceed queue's|hard limit|runlimit",
            r"illegal option|unknown option|bad argument|option syntax|unknown host",
            r"no such file",
        ),
    )
    forgetful_s = 5.0

    def __init__(self, reads_stdin: bool) -> None:
        self._reads_stdin = reads_stdin

    def submit_command(self, path: str) -> list[str]:
        return ["bsub"] if self._reads_stdin else ["bsub", path]

    def submit_stdin(self, text: str) -> str | None:
        return text if self._reads_stdin else None

    def read_job_id(self, stdout: str) -> str | None:
        match = _SUBMITTED.search(stdout)
        return match["id"] if match else None

    def questions(self) -> Sequence[Question]:
        return (Question(_ask, answers.read_bjobs),)

    def search(self, name: str) -> Search | None:
        return Search(["bjobs", "-noheader", "-o", "jobid", "-J", name], answers.read_ids)

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["bkill", *job_ids]


def _ask(job_ids: Sequence[str]) -> list[str]:
    return ["bjobs", "-a", "-noheader", "-o", _COLUMNS, *job_ids]
