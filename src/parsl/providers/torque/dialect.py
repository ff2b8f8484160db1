"""How Torque is spoken to."""

from __future__ import annotations

from parsl.providers.batch.answers import Question, Search
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.refusal import RefusalRules
from parsl.providers.torque import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.answers import Answer

REFUSALS = RefusalRules(
    transient=(
        answers.UNREACHABLE,
        r"would exceed .* limit",  # of jobs in the queue: another one has to end first
        r"maximum number of jobs already in queue",
        r"queue is not (?:enabled|started)",  # as during maintenance
        r"server is shutting down|server is busy|try again",
    ),
    permanent=(
        r"unknown queue",
        r"unknown resource",
        r"is required to be set",  # the rule of a site: filesystems, account, walltime
        r"illegal attribute or resource value",
        r"violates queue and/or server resource limits",
        r"invalid account|invalid project|account .* (?:not valid|invalid|not found|required)",
        r"unauthorized|not authorized|permission denied|access to queue is denied|access denied",
        r"directive error|invalid option|^usage: qsub|illegal -\w value|job name is too long",
        r"script file|no such file",
        r"bad uid|user .* (?:not found|unknown)",
    ),
    permanent_codes=frozenset(
        {
            2,  # qsub does not understand its arguments
            166,  # bad value of an attribute
            170,  # unknown queue
            187,  # unknown resource
            188,  # over a limit of the queue
        }
    ),
)


class TorqueDialect(Dialect):
    """Torque: qsub, qstat, qdel.

    It forgets a job a few minutes after its end, or at once, as the site has decided (keep_completed).
    """

    unreachable = answers.UNREACHABLE
    gone = answers.GONE
    refusals = REFUSALS
    forgetful_s = 2.0

    def submit_command(self, path: str) -> list[str]:
        return ["qsub", path]

    def read_job_id(self, stdout: str) -> str | None:
        return answers.read_job_id(stdout)

    def questions(self) -> Sequence[Question]:
        return (Question(_ask_full, _read_full),)

    def search(self, name: str) -> Search | None:
        return Search(_ask_full(()), lambda result: answers.find_named(result, answers.parse_full, name))

    def cancel_command(self, job_ids: Sequence[str]) -> list[str]:
        return ["qdel", *job_ids]

    def short_id(self, job_id: str) -> str:
        return answers.short_id(job_id)


def _ask_full(job_ids: Sequence[str]) -> list[str]:
    return ["qstat", "-f", *job_ids]


def _read_full(result: CommandResult) -> Answer:
    return answers.read_listing(result, answers.parse_full)
