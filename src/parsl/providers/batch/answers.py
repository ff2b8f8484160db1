"""Status queries, and the answers of schedulers in terms that all schedulers share."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from parsl.common.commands import CommandResult
from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

_SHOWN_CHARS = 500


class UnreadableAnswer(ValueError):
    """The output of a command does not have the expected form."""


class JobRecord(NamedTuple):
    """What a scheduler reports about one job."""

    job_id: str  #: in its short form
    state: JobState
    #: The scheduler's own words.
    message: str | None = None
    #: The exit code of the job script; None if the script has not ended.
    exit_code: int | None = None
    #: Whether the scheduler reports that a HELD job can never run as submitted.
    can_never_run: bool = False

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL_STATES


class AnswerKind(Enum):
    """How much an answer is worth."""

    USABLE = "usable"  #: the answer is reliable for the jobs that it mentions, and for no others
    UNUSABLE = "unusable"  #: this form of query gets no answer here; another form may get one
    UNREACHABLE = "unreachable"  #: the scheduler answers no queries at present


class Answer(NamedTuple):
    """The meaning of the output of one status command. All jobs are in the short form of their ids."""

    kind: AnswerKind
    records: Mapping[str, JobRecord] = {}
    #: Jobs that the scheduler explicitly does not know, not those that the answer merely omits.
    unknown: frozenset[str] = frozenset()
    problem: str | None = None  #: why the answer is not usable

    @classmethod
    def usable(cls, records: Iterable[JobRecord], unknown: Iterable[str] = ()) -> Answer:
        by_id = {record.job_id: record for record in records}
        return cls(AnswerKind.USABLE, by_id, frozenset(unknown) - by_id.keys())

    @classmethod
    def unusable(cls, result: CommandResult) -> Answer:
        return cls(AnswerKind.UNUSABLE, problem=complaint(result))

    @classmethod
    def unreachable(cls, problem: str) -> Answer:
        return cls(AnswerKind.UNREACHABLE, problem=problem)


class StatusQuery(metaclass=ABCMeta):
    """One form of querying a scheduler about jobs."""

    #: A regular expression for what the command writes when it cannot reach the scheduler.
    unreachable: str

    @abstractmethod
    def command(self, job_ids: Sequence[str]) -> list[str]:
        """Return the command that queries these jobs."""

    @abstractmethod
    def parse(self, result: CommandResult) -> Answer:
        """Return the meaning of the command's output; raise UnreadableAnswer if it has another form."""

    def read(self, result: CommandResult) -> Answer:
        """Return the meaning of a command's result, whatever the command has written."""
        if result.timed_out:
            return Answer.unreachable(f"{result.command[0]} did not answer in time")
        if re.search(self.unreachable, result.stderr, re.IGNORECASE):
            return Answer.unreachable(complaint(result))
        try:
            return self.parse(result)
        except UnreadableAnswer as error:
            problem = f"the answer of {result.command[0]} cannot be read: {error}"
            return Answer(AnswerKind.UNUSABLE, problem=problem)


def complaint(result: CommandResult) -> str:
    """Return one line that shows how a command failed."""
    words = " ".join((result.stderr.strip() or result.stdout.strip()).split())
    if len(words) > _SHOWN_CHARS:
        words = words[:_SHOWN_CHARS] + "..."
    return f"{result.command[0]} ended with exit code {result.exit_code}: {words or 'no message'}"


def complete_lines(text: str) -> list[str]:
    """Split text into lines, without an unfinished last line: half a number is another number."""
    return text[: text.rfind("\n") + 1].splitlines()


def read_json(text: str) -> Any:
    """Return what JSON contains, or raise UnreadableAnswer."""
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswer(f"it is not valid JSON ({error})") from error


def text_of(value: object) -> str | None:
    """Return a text without blanks around it; None if there is none, or if the value is something else."""
    return value.strip() or None if isinstance(value, str) else None


def exit_code_of(value: object) -> int | None:
    """Return an exit code given as integer or text; None if the value is neither."""
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    return None
