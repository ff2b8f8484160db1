"""What was asked for, what became of it, and how often it ran: whether the three agree."""

from __future__ import annotations

from array import array
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
        error: The type of what it ended with; None for a result.
        is_right: Whether the result is the one that was expected.
    """

    kind: str
    failures: int
    error: type[BaseException] | None
    is_right: bool


class Ledger:
    """What became of each task, by its number, in two bytes for each: it must not look like growth itself."""

    _MISSING = 0

    def __init__(self) -> None:
        self._kinds: list[Outcome | None] = [None]
        self._codes = array("H")
        self._code_of: dict[Outcome, int] = {}

    def __repr__(self) -> str:
        return f"<Ledger of {len(self._codes)} tasks, {len(self._kinds) - 1} different outcomes>"

    def add(self, number: int, outcome: Outcome) -> None:
        """Note what became of a task."""
        if outcome not in self._code_of:
            self._code_of[outcome] = len(self._kinds)
            self._kinds.append(outcome)
        missing = number + 1 - len(self._codes)
        self._codes.extend([self._MISSING] * missing)
        self._codes[number] = self._code_of[outcome]

    def get(self, number: int) -> Outcome | None:
        """What became of a task; None if it has not ended."""
        return self._kinds[self._codes[number]] if number < len(self._codes) else None

    def counts(self) -> Counter[Outcome]:
        """How many tasks had each outcome."""
        counted = Counter(self._codes)
        return Counter({kind: counted[code] for code, kind in enumerate(self._kinds) if kind is not None})


def findings(ledger: Ledger, submitted: int, begun: dict[int, int]) -> list[str]:
    """What is wrong; empty when the run kept its word.

    Args:
        ledger: What became of tasks; those that are missing have not ended.
        submitted: How many tasks there were, numbered from 0.
        begun: How often each has begun.
    """
    wrong: dict[str, list[int]] = {}
    for number in range(submitted):
        outcome = ledger.get(number)
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
    is_own = issubclass(outcome.error, ValueError) and outcome.kind == "complain"
    is_explained = issubclass(outcome.error, ParslError)
    return "" if is_own or is_explained else f"{outcome.kind} ended with {outcome.error.__name__}"


def summary(ledger: Ledger) -> str:
    """How many tasks ended in which way."""
    ends = Counter[str]()
    for outcome, count in ledger.counts().items():
        ends["done" if outcome.error is None else outcome.error.__name__] += count
    return ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
