"""What a load has shown: figures, and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from chaos.load.meter import Phase
from chaos.load.orders import Died, Refused

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Facts:
    """All that there is to say about a run. Times are those of one clock, in seconds.

    Attributes:
        managers: How many there were to be.
        joined: When the driver heard of each manager's coming.
        given_up: When the interchange gave managers up.
        gone: When the driver heard of each manager's going, while the run went on.
        died: Who was let die.
        refused: Whom the interchange did not want.
        seen: For each task, how many results it had.
        errors: What tasks ended with in place of a result.
        phases: What the processes were busy with.
        peak_memory: By role, in bytes.
        steady_rate: Tasks per second while all workers were busy.
        longest_silence_s: The longest time that a living manager heard nothing.
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

    def delays_s(self, told: Mapping[str, float], *, is_silent: bool) -> list[float]:
        """How long it took until each death was noticed, or told of; the shortest first."""
        return sorted(
            told[death.manager] - death.at_s
            for death in self.died
            if death.is_silent == is_silent and death.manager in told
        )


def findings(facts: Facts) -> list[str]:
    """What is wrong; empty when nothing was lost and nobody was given up who lived."""
    dead = {death.manager for death in facts.died}
    unseen, twice = facts.seen.count(0), sum(count > 1 for count in facts.seen)
    alive_but_refused = [each for each in facts.refused if each.manager not in dead]
    found = [
        (facts.managers - len(facts.joined), "managers have not registered"),
        (unseen, "tasks have no result"),
        (twice, "tasks have more than one result"),
        (len(dead - facts.gone.keys()), "deaths were not noticed"),
        (len(facts.gone.keys() - dead), "managers were given up that lived"),
        (len(alive_but_refused), "managers were refused that lived"),
    ]
    kinds = sorted({f"{type(error).__name__}: {error}".splitlines()[0] for error in facts.errors})
    return [f"{count:,} {what}" for count, what in found if count] + kinds[:5]


def figures(facts: Facts) -> Figures:
    """The figures by name; None where there is nothing to tell."""
    told: Figures = {f"{phase.name} s": phase.seconds for phase in facts.phases}
    told["tasks/s, steady"] = facts.steady_rate
    for phase in facts.phases:
        for role, cores in phase.cpu.items():
            told[f"{phase.name}, cores, {role}"] = cores
    for role, memory in facts.peak_memory.items():
        told[f"peak memory MB, {role}"] = memory / 2**20
    for name, is_silent in (("closed", False), ("silent", True)):
        told[f"{name} deaths"] = sum(death.is_silent == is_silent for death in facts.died)
        for what, moments in (("noticed", facts.given_up), ("told to the driver", facts.gone)):
            times = facts.delays_s(moments, is_silent=is_silent)
            told[f"{name} deaths {what} after s, median"] = median(times) if times else None
            told[f"{name} deaths {what} after s, longest"] = times[-1] if times else None
    told["longest silence s, living managers"] = facts.longest_silence_s
    return told


def table(figures: Figures) -> str:
    """For reading."""
    width = max(map(len, figures))
    return "\n".join(
        f"{name:{width}}  {'-' if value is None else format(value, ',.2f'):>12}"
        for name, value in figures.items()
    )
