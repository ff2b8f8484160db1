"""Measure delays with real schedulers: ``python -m tests.providers.live.figures [ROUNDS]``.

Runs the scenarios in private clusters, as root, and on the stand-in for PBS, and prints the median and the
range of their measurements, in seconds. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.providers.live import pbs_scenarios, test_grid_engine, test_slurm

SCHEDULERS: dict[str, Callable[[str, Path], Any]] = {
    "PBS stand-in": pbs_scenarios.facts_of,
    "Slurm": test_slurm.facts_of,
    "Grid Engine": test_grid_engine.facts_of,
}


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Args:
        scheduler: The name of the scheduler.
        scenario: The program that measures it.
        fact: The name of the measurement in the scenario.
        what: A description of the measurement.
    """

    scheduler: str
    scenario: str
    fact: str
    what: str


FIGURES = [
    Figure("PBS stand-in", "ensemble", "submitted_s", "load to job submitted"),
    Figure("PBS stand-in", "ensemble", "first_result_after_job_start_s", "job's start to first result"),
    Figure("PBS stand-in", "ensemble", "first_result_s", "load to first of 100 results, 1 node"),
    Figure("PBS stand-in", "ensemble", "all_results_s", "load to all of 100 results, 1 node"),
    Figure("PBS stand-in", "ensemble", "exit_s", "end of `with` until it returns"),
    Figure("PBS stand-in", "busy_end", "exit_s", "the same, a job running and one queued"),
    Figure("PBS stand-in", "deleted", "result_after_next_start_s", "job deleted: next job's start to result"),
    Figure("PBS stand-in", "deleted", "result_after_loss_s", "job deleted: until the result"),
    Figure("PBS stand-in", "walltime", "result_after_next_start_s", "walltime kill: next start to result"),
    Figure("PBS stand-in", "walltime", "failures", "walltime kill: retries used"),
    Figure("PBS stand-in", "bad_worker_init", "reported_after_end_s", "worker_init fails: end to report"),
    Figure("PBS stand-in", "refused", "reported_s", "load to refusal reported"),
    Figure("PBS stand-in", "held", "reported_s", "job held: until the warning"),
    Figure("PBS stand-in", "never_runs", "reported_s", "job can never run: load until the warning"),
    Figure("PBS stand-in", "quiet", "per_10s", "status commands per 10 s, nothing changes"),
    Figure("Slurm", "ensemble", "submitted_s", "load to job submitted"),
    Figure("Slurm", "ensemble", "first_result_after_job_start_s", "job's start to first result"),
    Figure("Slurm", "ensemble", "first_result_s", "load to first of 100 results, 2 nodes"),
    Figure("Slurm", "ensemble", "all_results_s", "load to all of 100 results, 2 nodes"),
    Figure("Slurm", "ensemble", "exit_s", "end of `with` until it returns"),
    Figure("Slurm", "busy_end", "exit_s", "the same, a job running and one queued"),
    Figure("Slurm", "deleted", "result_after_next_start_s", "job deleted: next job's start to result"),
    Figure("Slurm", "deleted", "result_after_loss_s", "job deleted: until the result"),
    Figure("Slurm", "node_failed", "result_after_loss_s", "node down: until the result"),
    Figure("Slurm", "walltime", "result_after_next_start_s", "walltime kill: next job's start to result"),
    Figure("Slurm", "walltime", "failures", "walltime kill: retries used"),
    Figure("Slurm", "quiet", "per_10s", "status commands per 10 s, nothing changes"),
    Figure("Slurm", "refused", "reported_s", "load to refusal reported"),
    Figure("Slurm", "bad_worker_init", "reported_after_end_s", "worker_init fails: job's end until reported"),
    Figure("Slurm", "held", "reported_s", "job held: load until reported"),
    Figure("Slurm", "scaling", "given_back_s", "last result until 3 blocks are gone (idle time 1 s)"),
    Figure("Slurm", "mpi", "first_result_s", "MPI, 6 two-node tasks of 1 s, 4 nodes: load to first"),
    Figure("Slurm", "mpi", "all_results_s", "MPI, the same: load to all"),
    Figure("Grid Engine", "ensemble", "submitted_s", "load to jobs submitted"),
    Figure("Grid Engine", "ensemble", "first_result_after_job_start_s", "job's start to first result"),
    Figure("Grid Engine", "ensemble", "first_result_s", "load to first of 100 results, 2 jobs"),
    Figure("Grid Engine", "ensemble", "all_results_s", "load to all of 100 results, 2 jobs"),
    Figure("Grid Engine", "ensemble", "exit_s", "end of `with` until it returns"),
    Figure("Grid Engine", "deleted", "result_after_next_start_s", "job deleted: next job's start to result"),
    Figure("Grid Engine", "walltime", "result_after_next_start_s", "walltime kill: next start to result"),
    Figure("Grid Engine", "bad_worker_init", "reported_after_end_s", "worker_init fails: end to report"),
    Figure("Grid Engine", "held", "reported_s", "job held: load until reported"),
    Figure("Grid Engine", "never_runs", "reported_s", "job can never run: load until the warning"),
    Figure("Grid Engine", "quiet", "per_10s", "status commands per 10 s, nothing changes"),
]


def measure(rounds: int) -> dict[Figure, list[float]]:
    """Run every scenario ``rounds`` times."""
    values: dict[Figure, list[float]] = {figure: [] for figure in FIGURES}
    for scheduler, scenario in dict.fromkeys((figure.scheduler, figure.scenario) for figure in FIGURES):
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as directory:
                facts = SCHEDULERS[scheduler](scenario, Path(directory))
            for figure in FIGURES:
                if (figure.scheduler, figure.scenario) == (scheduler, scenario):
                    values[figure].append(facts[figure.fact])
    return values


def main() -> None:
    """Measure the delays, and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for figure, values in measure(rounds).items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        median = statistics.median(values)
        sys.stdout.write(f"{figure.scheduler:13} {figure.what:55} {median:7.2f}  ({spread})\n")


if __name__ == "__main__":
    main()
