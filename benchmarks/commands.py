"""The command line: ``python -m benchmarks [run|setup|show|compare] ...``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.chart import render_chart
from benchmarks.compare import render_comparison
from benchmarks.environments import BENCH_DIR, ROOT
from benchmarks.measures import select_measures
from benchmarks.suite import Settings, prepare, run_suite
from benchmarks.systems import SYSTEMS, parse_systems
from benchmarks.table import render_table

RESULTS_DIR = ROOT / "benchmarks" / "results"
COMMANDS = ("run", "setup", "show", "compare")

#: The systems of a quick run.
QUICK_SYSTEMS = "ours,stdlib"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; ``run`` when none is named.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0] not in COMMANDS and words[0] not in ("-h", "--help")):
        words.insert(0, "run")
    parser = _parser()
    options = parser.parse_args(words)
    try:
        code: int = options.command(options)
    except ValueError as error:
        parser.error(str(error))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_run(commands.add_parser("run", help="measure, print the table, write the report"))
    setup = commands.add_parser("setup", help="install the peers")
    setup.add_argument("--systems", default=",".join(SYSTEMS))
    setup.set_defaults(command=_setup)
    show = commands.add_parser("show", help="print a report's table and draw its picture again")
    show.add_argument("report", type=Path, nargs="?", default=RESULTS_DIR / "latest.json")
    show.set_defaults(command=_show)
    compare = commands.add_parser("compare", help="put two reports side by side")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.set_defaults(command=_compare)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--only", help="names of measures, or beginnings of them, by commas")
    run.add_argument("--systems", help=f"names by commas, of {', '.join(SYSTEMS)}")
    run.add_argument("--rounds", type=int, help="how often each workload is run (5)")
    run.add_argument("--slow-rounds", type=int, help="the same for slow systems (2)")
    run.add_argument("--quick", action="store_true", help="short, against the stdlib's pool only")
    run.add_argument("--million", "--full", action="store_true", help="run 1,000,000 tasks")
    run.add_argument("--output", type=Path, help="directory of the report")
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    measures = select_measures(options.only, with_million=options.million)
    names = options.systems or (QUICK_SYSTEMS if options.quick else ",".join(SYSTEMS))
    report = run_suite(measures, parse_systems(names), _settings(options))
    is_whole = not (options.only or options.systems or options.quick)
    output = options.output or (RESULTS_DIR if is_whole else BENCH_DIR / "results")
    write_report(report, output)
    print(render_table(report))
    print(f"\nwritten to {output / 'latest.json'} and latest.svg")
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    usual = Settings(rounds=3, slow_rounds=1) if options.quick else Settings()
    for name in ("rounds", "slow_rounds"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
    return Settings(
        rounds=options.rounds or usual.rounds,
        slow_rounds=options.slow_rounds or usual.slow_rounds,
        is_quick=options.quick,
    )


def _setup(options: argparse.Namespace) -> int:
    pythons, unavailable = prepare(parse_systems(options.systems))
    for name in pythons:
        print(f"{name}: ready")
    for name, reason in unavailable.items():
        print(f"{name}: not available: {reason}")
    return 0


def _show(options: argparse.Namespace) -> int:
    report = _read(options.report)
    write_report(report, options.report.parent)
    print(render_table(report))
    return 0


def _compare(options: argparse.Namespace) -> int:
    print(render_comparison(_read(options.old), _read(options.new)))
    return 0


def write_report(report: dict[str, Any], directory: Path) -> None:
    """Write ``latest.json`` and ``latest.svg``."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "latest.json").write_text(json.dumps(report, indent=2) + "\n")
    (directory / "latest.svg").write_text(render_chart(report))


def _read(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"cannot read the report {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a report of this suite: {error}") from error
    return report
