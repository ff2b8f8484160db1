"""What was asked for, what became of it, and how often it ran: whether the three agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from parsl.errors import ParslError

#: At most so many findings of one kind are shown.
_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Attributes:
        kind: Name of the function.
        failures: How many of its attempts have failed, as the kernel counts.
        error: What it ended with; None for a result.
        is_right: Whether the result is the one that was expected.
    """

    kind: str
    failures: int
    error: BaseException | None
    is_right: bool


def findings(outcomes: dict[int, Outcome], submitted: int, begun: dict[int, int]) -> list[str]:
    """What is wrong; empty when the run kept its word.

    Args:
        outcomes: By the task's number; those that are missing have not ended.
        submitted: How many tasks there were, numbered from 0.
        begun: How often each has begun.
    """
    wrong: dict[str, list[int]] = {}
    for number in range(submitted):
        outcome = outcomes.get(number)
        found = "has not ended" if outcome is None else _wrong_with(outcome, begun.get(number, 0))
        if found:
            wrong.setdefault(found, []).append(number)
    return [
        f"{len(numbers)} tasks: {found} (the first: {', '.join(map(str, numbers[:_SHOWN]))})"
        for found, numbers in wrong.items()
    ]


def _wrong_with(outcome: Outcome, begun: int) -> str:
    """A task begins once for each attempt that was not lost before it began: never more often."""
    attempts = outcome.failures + (outcome.error is None)
    if begun > attempts:
        return f"{outcome.kind} began more often than there were attempts"
    if outcome.error is None:
        if not begun:
            return f"{outcome.kind} has a result without having begun"
        return "" if outcome.is_right else f"{outcome.kind} has a wrong result"
    is_own = isinstance(outcome.error, ValueError) and outcome.kind == "complain"
    is_explained = isinstance(outcome.error, ParslError)
    return "" if is_own or is_explained else f"{outcome.kind} ended with {type(outcome.error).__name__}"


def summary(outcomes: dict[int, Outcome]) -> str:
    """How many tasks ended in which way."""
    ends = Counter(
        "done" if outcome.error is None else type(outcome.error).__name__ for outcome in outcomes.values()
    )
    return ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
