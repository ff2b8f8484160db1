"""Compares the submitted tasks, their outcomes, and how often each began."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass

from parsl.errors import ParslError

#: The maximum number of findings of one kind that are shown.
_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Attributes:
        kind: The name of the function.
        failures: The number of failed attempts, as counted by the kernel.
        error: The type of the error; None for a result.
        is_right: Whether the result is the expected one.
    """

    kind: str
    failures: int
    error: type[BaseException] | None
    is_right: bool


class Ledger:
    """The outcomes of tasks by number, in two bytes each: more would look like growth of the run."""

    _MISSING = 0

    def __init__(self) -> None:
        self._kinds: list[Outcome | None] = [None]
        self._codes = array("H")
        self._code_of: dict[Outcome, int] = {}

    def __repr__(self) -> str:
        return f"<Ledger of {len(self._codes)} tasks, {len(self._kinds) - 1} different outcomes>"

    def add(self, number: int, outcome: Outcome) -> None:
        """Record the outcome of a task."""
        if outcome not in self._code_of:
            self._code_of[outcome] = len(self._kinds)
            self._kinds.append(outcome)
        missing = number + 1 - len(self._codes)
        self._codes.extend([self._MISSING] * missing)
        self._codes[number] = self._code_of[outcome]

    def get(self, number: int) -> Outcome | None:
        """Return the outcome of a task; None if the task has not ended."""
        return self._kinds[self._codes[number]] if number < len(self._codes) else None

    def counts(self) -> Counter[Outcome]:
        """Return the number of tasks with each outcome."""
        counted = Counter(self._codes)
        return Counter({kind: counted[code] for code, kind in enumerate(self._kinds) if kind is not None})


def findings(ledger: Ledger, submitted: int, begun: dict[int, int]) -> list[str]:
    """Return what is wrong; empty if the run kept its guarantees.

    Args:
        ledger: The outcomes; tasks without one have not ended.
        submitted: The number of tasks, which are numbered from 0.
        begun: How often each task began.
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
    """Return what is wrong with a task. It begins at most once per attempt."""
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
    """Return the number of tasks with each kind of end, as text."""
    ends = Counter[str]()
    for outcome, count in ledger.counts().items():
        ends["done" if outcome.error is None else outcome.error.__name__] += count
    return ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
