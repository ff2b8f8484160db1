"""What a run has measured so far, and the report made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measures import Measure, Run, Target
from benchmarks.schedule import Step
from benchmarks.stats import Summary, median, paired_ratios, summarize

#: Version of the report's layout.
SCHEMA = 1

#: The systems with which ours is compared.
REFERENCES = ("stdlib", "upstream")

Report = dict[str, Any]


class Record:
    """The values of every step, and the steps without any."""

    def __init__(self) -> None:
        self._values: dict[tuple[Run, str], dict[int, Mapping[str, float]]] = {}
        self.failures: list[tuple[Step, str]] = []

    def __repr__(self) -> str:
        done = sum(len(rounds) for rounds in self._values.values())
        return f"<Record: {done} steps done, {len(self.failures)} failed>"

    def add(self, step: Step, values: Mapping[str, float]) -> None:
        """Keep what a step measured."""
        self._values.setdefault((step.run, step.system.name), {})[step.round] = values

    def add_failure(self, step: Step, reason: str) -> None:
        """Keep why a step measured nothing."""
        self.failures.append((step, reason))

    def has_failed(self, step: Step) -> bool:
        """Whether the same run failed for the same system in an earlier round."""
        return any(failed.run is step.run and failed.system is step.system for failed, _ in self.failures)

    def samples(self, measure: Measure, system: str, key: str | None = None) -> dict[int, float]:
        """The samples of one system for one row, by round."""
        rounds = self._values.get((measure.run, system), {})
        key = key or measure.key
        return {number: values[key] for number, values in rounds.items() if key in values}


def report_measure(record: Record, measure: Measure, systems: Sequence[str]) -> Report:
    """One row of the report."""
    ours = record.samples(measure, "ours")
    samples = {name: record.samples(measure, name) for name in systems}
    samples = {name: rounds for name, rounds in samples.items() if rounds}
    ratios = {
        name: summarize(ratio) for name in REFERENCES if (ratio := paired_ratios(ours, samples.get(name, {})))
    }
    return {
        "name": measure.name,
        "title": measure.title,
        "unit": measure.unit,
        "more_is_better": measure.more_is_better,
        "target": None if measure.target is None else vars(measure.target),
        "systems": {
            name: _report_system(rounds, record.samples(measure, name, "tasks"))
            for name, rounds in samples.items()
        },
        "ratios": {name: ratio._asdict() for name, ratio in ratios.items()},
        "reached": is_reached(measure.target, measure.more_is_better, list(ours.values()), ratios),
    }


def is_reached(
    target: Target | None,
    more_is_better: bool,
    ours: Sequence[float],
    ratios: Mapping[str, Summary],
) -> bool | None:
    """Whether our median meets the target; None if that is unknown."""
    if target is None or not ours:
        return None
    if target.peer is None:
        value = median(ours)
    elif target.peer in ratios:
        value = ratios[target.peer].median
    else:
        return None
    return value >= target.bound if more_is_better else value <= target.bound


def _report_system(rounds: Mapping[int, float], tasks: Mapping[int, float]) -> Report:
    entry: Report = {**summarize(list(rounds.values()))._asdict(), "samples": list(rounds.values())}
    if tasks:
        entry["tasks"] = int(min(tasks.values()))
    return entry


def build_report(
    record: Record,
    measures: Sequence[Measure],
    systems: Sequence[str],
    about: Mapping[str, Any],
) -> Report:
    """The whole report.

    Args:
        record: what was measured.
        measures: the rows.
        systems: names of the systems, in the order of the columns.
        about: further information: machine, versions, options.
    """
    rows = [report_measure(record, measure, systems) for measure in measures]
    return {
        "schema": SCHEMA,
        **about,
        "measures": [row for row in rows if row["systems"]],
        "failures": [
            {
                "workload": step.run.workload,
                "options": list(step.run.options),
                "system": step.system.name,
                "round": step.round + 1,
                "reason": reason,
            }
            for step, reason in record.failures
        ],
    }
