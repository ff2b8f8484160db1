"""The results of a load test: figures, and what was wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from chaos.load.meter import Phase
from chaos.load.orders import Died, Refused

Figures = dict[str, float | None]

#: The phases in which tasks run.
WITH_TASKS = ("filling", "steady", "emptying")


@dataclass(frozen=True)
class Facts:
    """The facts about a run. Times are seconds since the epoch.

    Attributes:
        managers: The expected number of managers.
        joined: When the driver learned of each manager.
        given_up: When the interchange gave up managers.
        gone: When the driver learned of the loss of managers during the run.
        died: The managers that were killed.
        refused: The managers that the interchange refused.
        seen: The number of results of each task.
        errors: The errors of tasks that failed.
        phases: The phases of the run.
        peak_memory: The peak memory of each role (bytes).
        steady_rate: Tasks per second while all workers were busy.
        longest_silence_s: The longest time without a message to a living manager.
    """

    managers: int
    joined: Mapping[str, float]
    given_up: Mapping[str, float]
    gone: Mapping[str, float]
    died: Sequence[Died]
    refused: Sequence[Refused]
    seen: Sequence[int]
    errors: Sequence[BaseException]
    phases: Sequence[Phase]
    peak_memory: Mapping[str, int]
    steady_rate: float | None
    longest_silence_s: float

    def delays_s(self, noticed_at: Mapping[str, float], *, is_silent: bool) -> list[float]:
        """Return the times between the deaths and their notice or report, the shortest first."""
        return sorted(
            noticed_at[death.manager] - death.at_s
            for death in self.died
            if death.is_silent == is_silent and death.manager in noticed_at
        )


def findings(facts: Facts) -> list[str]:
    """Return what is wrong; empty if no task was lost, and no living manager was given up."""
    dead = {death.manager for death in facts.died}
    unseen, twice = facts.seen.count(0), sum(count > 1 for count in facts.seen)
    alive_but_refused = [each for each in facts.refused if each.manager not in dead]
    found = [
        (facts.managers - len(facts.joined), "managers have not registered"),
        (unseen, "tasks have no result"),
        (twice, "tasks have more than one result"),
        (len(dead - facts.gone.keys()), "deaths were not noticed"),
        (len(facts.gone.keys() - dead), "living managers were given up"),
        (len(alive_but_refused), "living managers were refused"),
    ]
    kinds = sorted({f"{type(error).__name__}: {error}".splitlines()[0] for error in facts.errors})
    return [f"{count:,} {what}" for count, what in found if count] + kinds[:5]


def figures(facts: Facts) -> Figures:
    """Return the figures by name; None for those without a value."""
    found: Figures = {f"{phase.name} s": phase.seconds for phase in facts.phases}
    found["tasks/s, steady"] = facts.steady_rate
    for phase in facts.phases:
        for role, cores in phase.cpu.items():
            found[f"{phase.name}, cores, {role}"] = cores
    for role, used_s in _used_s(facts.phases).items():
        found[f"processor time per task µs, {role}"] = used_s / len(facts.seen) * 1e6 if facts.seen else None
    for role, memory in facts.peak_memory.items():
        found[f"peak memory MB, {role}"] = memory / 2**20
    for name, is_silent in (("closed", False), ("silent", True)):
        found[f"{name} deaths"] = sum(death.is_silent == is_silent for death in facts.died)
        for what, moments in (("noticed", facts.given_up), ("reported to the driver", facts.gone)):
            times = facts.delays_s(moments, is_silent=is_silent)
            found[f"{name} deaths {what} after s, median"] = median(times) if times else None
            found[f"{name} deaths {what} after s, longest"] = times[-1] if times else None
    found["longest silence s, living managers"] = facts.longest_silence_s
    return found


def _used_s(phases: Sequence[Phase]) -> dict[str, float]:
    """Return the processor time of each role while there were tasks (seconds)."""
    used_s: dict[str, float] = defaultdict(float)
    for phase in phases:
        if phase.name in WITH_TASKS:
            for role, cores in phase.cpu.items():
                used_s[role] += phase.seconds * cores
    return used_s


def table(columns: Mapping[str, Figures]) -> str:
    """Format the figures of one or several runs as a table."""
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    width = max(map(len, names), default=0)
    rows = [("", list(columns))] + [
        (name, [_cell(figures.get(name)) for figures in columns.values()]) for name in names
    ]
    return "\n".join(f"{name:{width}}  " + "  ".join(f"{cell:>12}" for cell in cells) for name, cells in rows)


def _cell(value: float | None) -> str:
    return "-" if value is None else format(value, ",.2f")
