"""A whole run: prepare the systems, take the steps, make the report."""

from __future__ import annotations

import compileall
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import BENCH_DIR, SOURCE, Unavailable, environment_of, python_of, version_of
from benchmarks.launch import WorkloadFailed, become_subreaper, run_workload
from benchmarks.machine import describe_machine
from benchmarks.measures import Measure
from benchmarks.record import Record, Report, build_report
from benchmarks.schedule import Step, plan
from benchmarks.systems import System

#: Output and logs of the workloads that failed last.
FAILURES_DIR = BENCH_DIR / "failures"


@dataclass(frozen=True)
class Settings:
    """How thorough a run is.

    Attributes:
        rounds: how often each workload is run.
        slow_rounds: the same for systems that take long.
        is_quick: whether the workloads take their shorter options.
        budget_s: seconds after which no further round is begun.
    """

    rounds: int = 5
    slow_rounds: int = 2
    is_quick: bool = False
    budget_s: float = 780.0


def prepare(systems: Sequence[System]) -> tuple[dict[str, Path], dict[str, str]]:
    """Make the environments.

    Returns:
        The interpreters by system, and for the systems that have none the reason.
    """
    pythons, unavailable = {}, {}
    for system in systems:
        try:
            pythons[system.name] = python_of(system)
        except Unavailable as error:
            unavailable[system.name] = str(error)
    return pythons, unavailable


def run_suite(measures: Sequence[Measure], systems: Sequence[System], settings: Settings) -> Report:
    """Run the requested workloads, and report the results."""
    pythons, unavailable = prepare(systems)
    compileall.compile_dir(SOURCE, quiet=2)
    become_subreaper()
    started = time.monotonic()
    present = [system for system in systems if system.name in pythons]
    steps = plan(measures, present, settings.rounds, settings.slow_rounds)
    record = take_steps(steps, pythons, settings)
    about = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": describe_machine(),
        "versions": {system.name: version_of(system, pythons[system.name]) for system in present},
        "settings": asdict(settings),
        "duration_s": round(time.monotonic() - started),
        "unavailable": unavailable,
    }
    return build_report(record, measures, [system.name for system in systems], about)


def take_steps(steps: Sequence[Step], pythons: Mapping[str, Path], settings: Settings) -> Record:
    """Run the workloads one after another, and print the progress to stderr.

    Ctrl-C ends it early: what was measured until then is reported.
    """
    record, started = Record(), time.monotonic()
    try:
        for number, step in enumerate(steps):
            elapsed_s = time.monotonic() - started
            if step.round > 0 and elapsed_s > settings.budget_s:
                _print(f"stopping before round {step.round + 1}: the time is used up")
                break
            if not record.has_failed(step):
                _print(f"[{number + 1}/{len(steps)}, {elapsed_s:.0f} s] {_describe(step)}", end=" ")
                _take(step, pythons[step.system.name], settings, record)
    except KeyboardInterrupt:
        _print("interrupted: reporting what there is")
    return record


def _take(step: Step, python: Path, settings: Settings, record: Record) -> None:
    try:
        values = _measure(step, python, settings)
    except WorkloadFailed as error:
        record.add_failure(step, str(error))
        _print(f"FAILED: {error}")
    else:
        record.add(step, values)
        _print(", ".join(f"{key} {value:.4g}" for key, value in values.items()))


def _measure(step: Step, python: Path, settings: Settings) -> dict[str, float]:
    run = step.run
    options = run.quick_options or run.options if settings.is_quick else run.options
    return run_workload(
        python,
        run.workload,
        ["--system", step.system.name, *options],
        environment_of(step.system, python),
        run.timeout_s,
        FAILURES_DIR / f"{run.workload}-{step.system.name}",
    )


def _describe(step: Step) -> str:
    words: list[Any] = [step.run.workload, *step.run.options, "on", step.system.name]
    return f"round {step.round + 1}: {' '.join(words)}:"


def _print(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)
