"""In which order workloads are run: by rounds, so that a noisy machine is noisy for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.measures import Measure, Run
from benchmarks.systems import System


class Step(NamedTuple):
    """One start of one workload for one system."""

    round: int
    run: Run
    system: System


def runs_of(measures: Sequence[Measure]) -> list[Run]:
    """The runs behind some measures, each once, in the order of the table."""
    return list(dict.fromkeys(measure.run for measure in measures))


def plan(measures: Sequence[Measure], systems: Sequence[System], rounds: int, slow_rounds: int) -> list[Step]:
    """All the steps: every round does every run, within a run the systems alternate."""
    return [
        Step(number, run, system)
        for number in range(rounds)
        for run in runs_of(measures)
        for system in systems
        if system.name in run.systems
        and number < rounds_of(run, system, rounds=rounds, slow_rounds=slow_rounds)
    ]


def rounds_of(run: Run, system: System, *, rounds: int, slow_rounds: int) -> int:
    """How many rounds a system takes part in."""
    needed = min(rounds, slow_rounds) if system.is_slow else rounds
    return needed if run.max_rounds is None else min(needed, run.max_rounds)
