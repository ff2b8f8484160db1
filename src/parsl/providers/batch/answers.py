"""Status queries, and the answers of schedulers in terms that all schedulers share."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from enum import Enum
from typing import NamedTuple

from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parsl.common.commands import CommandResult

_SHOWN_CHARS = 500


class UnreadableAnswer(ValueError):
    """The output of a command does not have the expected form."""


class JobRecord(NamedTuple):
    """What a scheduler reports about one job."""

    #: The job, in the short form of its id.
    job_id: str
    state: JobState
    #: The scheduler's own words.
    message: str | None = None
    #: The exit code of the job script; None if the script has not ended.
    exit_code: int | None = None
    #: Whether the scheduler reports that a HELD job can never run as submitted.
    can_never_run: bool = False

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self.state in TERMINAL_STATES


class AnswerKind(Enum):
    """How much an answer is worth."""

    USABLE = "usable"  #: the answer is reliable for the jobs that it mentions, and for no others
    UNUSABLE = "unusable"  #: this form of query gets no answer here; another form may get one
    UNREACHABLE = "unreachable"  #: the scheduler answers no queries at present


class Answer(NamedTuple):
    """The meaning of the output of one status command."""

    kind: AnswerKind
    #: By short job id.
    records: Mapping[str, JobRecord] = {}
    #: The short ids of jobs that the scheduler explicitly does not know. Jobs that the answer merely omits
    #: are not among them.
    unknown: frozenset[str] = frozenset()
    #: Why the answer is not usable.
    problem: str | None = None


class StatusQuery(metaclass=ABCMeta):
    """One form of querying a scheduler about jobs."""

    #: A regular expression for what the command writes when it cannot reach the scheduler.
    unreachable: str

    @abstractmethod
    def command(self, job_ids: Sequence[str]) -> list[str]:
        """Return the command that queries jobs."""

    @abstractmethod
    def parse(self, result: CommandResult) -> Answer:
        """Return the meaning of the command's output.

        Raises:
            UnreadableAnswer: The output does not have the expected form.
        """

    def read(self, result: CommandResult) -> Answer:
        """Return the meaning of a command's result, whatever the command has written."""
        if result.timed_out:
            return unreachable(f"{result.command[0]} did not answer in time")
        if re.search(self.unreachable, result.stderr, re.IGNORECASE):
            return unreachable(complaint(result))
        try:
            return self.parse(result)
        except UnreadableAnswer as error:
            return unusable(f"the answer of {result.command[0]} cannot be read: {error}")


def usable(records: Iterable[JobRecord], unknown: Iterable[str] = ()) -> Answer:
    """Return a usable answer."""
    by_id = {record.job_id: record for record in records}
    return Answer(AnswerKind.USABLE, by_id, frozenset(unknown) - by_id.keys())


def unusable(problem: str) -> Answer:
    """Return an answer without information."""
    return Answer(AnswerKind.UNUSABLE, problem=problem)


def unreachable(problem: str) -> Answer:
    """Return the answer of a scheduler that cannot be reached."""
    return Answer(AnswerKind.UNREACHABLE, problem=problem)


def complaint(result: CommandResult) -> str:
    """Return one line that shows how a command failed."""
    words = " ".join((result.stderr.strip() or result.stdout.strip()).split())
    if len(words) > _SHOWN_CHARS:
        words = words[:_SHOWN_CHARS] + "..."
    return f"{result.command[0]} ended with exit code {result.exit_code}: {words or 'no message'}"


def complete_lines(text: str) -> list[str]:
    """Split text into lines, without an unfinished last line: half a number is another number."""
    return text[: text.rfind("\n") + 1].splitlines()


def exit_code_of(value: object) -> int | None:
    """Return an exit code given as integer or text; None if the value is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    return None
