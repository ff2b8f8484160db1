"""What schedulers answer, in terms that all of them share."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from parsl.common.commands import CommandResult

_SHOWN_CHARS = 500


class UnreadableAnswer(ValueError):
    """A command's output is not what it should be."""


class JobRecord(NamedTuple):
    """What a scheduler says about one job."""

    #: The job, in the short form of its id.
    job_id: str
    state: JobState
    #: The scheduler's own words.
    message: str | None = None
    #: How the job script ended; only if it has.
    exit_code: int | None = None
    #: Whether the scheduler says that a HELD job can never run as it is.
    can_never_run: bool = False

    @property
    def terminal(self) -> bool:
        """Whether the job will never run anything more."""
        return self.state in TERMINAL_STATES


class Verdict(Enum):
    """What an answer is worth."""

    USABLE = "usable"  #: what it says, it says; about other jobs it says nothing
    UNUSABLE = "unusable"  #: this form of the question gets no answer here; another one may
    UNREACHABLE = "unreachable"  #: the scheduler does not answer anything now


class Answer(NamedTuple):
    """What the output of one status command says."""

    verdict: Verdict
    #: By short job id.
    records: Mapping[str, JobRecord] = {}
    #: The short ids of jobs that the scheduler says it does not know. A job that is just not mentioned is
    #: not among them.
    unknown: frozenset[str] = frozenset()
    #: Why it is not usable.
    problem: str | None = None


class Question(NamedTuple):
    """One form of asking about jobs."""

    #: Given job ids, the command.
    command: Callable[[Sequence[str]], list[str]]
    #: Given what came of it, the answer. It never raises.
    read: Callable[[CommandResult], Answer]


class Search(NamedTuple):
    """How to look for jobs by their name."""

    command: list[str]
    #: Given what came of it, the ids of the jobs; None if that is no answer. It never raises.
    read: Callable[[CommandResult], list[str] | None]


def usable(records: Iterable[JobRecord], unknown: Iterable[str] = ()) -> Answer:
    """Return an answer that says something."""
    by_id = {record.job_id: record for record in records}
    return Answer(Verdict.USABLE, by_id, frozenset(unknown) - by_id.keys())


def unusable(problem: str) -> Answer:
    """Return an answer that says nothing."""
    return Answer(Verdict.UNUSABLE, problem=problem)


def unreachable(problem: str) -> Answer:
    """Return the answer of a scheduler that does not answer."""
    return Answer(Verdict.UNREACHABLE, problem=problem)


def silence(result: CommandResult, unreachable_pattern: str) -> Answer | None:
    """Recognise the scheduler that does not answer at all.

    Args:
        result: What came of a command.
        unreachable_pattern: A regular expression for what the command writes when it finds no scheduler.

    Returns:
        None if there is more to be read.
    """
    if result.timed_out:
        return unreachable(f"{result.command[0]} did not answer in time")
    if re.search(unreachable_pattern, result.stderr, re.IGNORECASE):
        return unreachable(complaint(result))
    return None


def complaint(result: CommandResult) -> str:
    """Say in one line how a command failed."""
    words = " ".join((result.stderr.strip() or result.stdout.strip()).split())
    if len(words) > _SHOWN_CHARS:
        words = words[:_SHOWN_CHARS] + "..."
    return f"{result.command[0]} ended with exit code {result.exit_code}: {words or 'no message'}"


def complete_lines(text: str) -> list[str]:
    """Split into lines, without a last one that was cut short: half a number is another number."""
    return text[: text.rfind("\n") + 1].splitlines()


def exit_code_of(value: object) -> int | None:
    """Read an exit code, which may be text; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    return None
