"""The command of the load test: a supercomputer's managers, one interchange and one driver.

    python -m chaos.load --managers 1000 --tasks 100000

A few processes simulate the managers and their workers, with the real protocol over real, encrypted
connections. At the end, every task has its own result, and the loss of every killed manager was noticed.
Otherwise the command prints what is wrong, and its exit code is 1. The same load runs without the event log
and with it, and the figures of both are in one table.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path

import msgspec

from chaos.load.options import Options, Outcome, decode_outcome, encode
from chaos.load.report import table

#: The directory of the package ``chaos``.
ROOT = Path(__file__).parents[2]
#: The runs of each value of the option: whether they have an event log, and the heading of their figures.
RUNS = {"off": {"without": False}, "on": {"event log": True}, "both": {"without": False, "event log": True}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.load", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--managers", type=int, default=10_624, help="the number of nodes (10,624: all of Aurora)")
    add("--workers", type=int, default=12, help="workers of a node (12)")
    add("--nodes-per-block", type=int, default=128, help="nodes of a batch job (128)")
    add("--tasks", type=int, default=1_000_000, help="the number of tasks (1,000,000)")
    add("--task-s", type=float, default=15.0, help="the mean duration of a task, in s (15)")
    add(
        "--deaths",
        type=float,
        default=0.01,
        help="the fraction of managers that die, half silently (0.01)",
    )
    add("--idle-s", type=float, default=30.0, help="how long the idle machine is measured, in s (30)")
    add("--period-s", type=float, default=30.0, help="heartbeat period, in s (30)")
    add("--threshold-s", type=float, default=120.0, help="heartbeat threshold, in s (120)")
    add("--fleets", type=int, default=4, help="the number of processes that simulate managers (4)")
    add(
        "--event-log",
        choices=("both", "on", "off"),
        default="both",
        help="run with the event log, without, or first without and then with it (both)",
    )
    add("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    add("--output", type=Path, help="a file for the figures, as JSON")
    return parser.parse_args()


def outcome_of(options: argparse.Namespace, has_log: bool) -> Outcome:
    """Run the load in a process of its own, so that no run uses memory of another."""
    values = {name: getattr(options, name) for name in Options.__struct_fields__} | {"event_log": has_log}
    command = [sys.executable, "-m", "chaos.load.run", encode(Options(**values)).decode()]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return Outcome({}, [f"the run has ended with exit code {done.returncode}, without figures"])
    return decode_outcome(lines[-1])


def main() -> int:
    """Run the load test. Returns: 0 if nothing is wrong."""
    options = arguments()
    print(f"load: {options.managers:,} managers, {options.tasks:,} tasks, seed {options.seed}", flush=True)
    outcomes = {name: outcome_of(options, has_log) for name, has_log in RUNS[options.event_log].items()}
    print(table({name: outcome.figures for name, outcome in outcomes.items()}))
    if options.output:
        found = {name: outcome.figures for name, outcome in outcomes.items()}
        options.output.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    wrong = [f"{name}: {each}" for name, outcome in outcomes.items() for each in outcome.wrong]
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
