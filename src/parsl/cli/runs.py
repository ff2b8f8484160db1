"""``parsl runs [DIRECTORY]``: the runs in a directory, and how they ended."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from time import localtime, strftime, time

from parsl.cli import print_error
from parsl.cli.console import console, print_json
from parsl.cli.run_choice import NOT_FOUND, NoRun, runs_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.table import Table

    from parsl.eventlog.overview import RunOverview

_DESCRIPTION = """\
List the runs in a directory, the newest first: when they began, how long they took, what became of their
tasks, and how they ended. The exit code is 2 if there are no runs.
"""
_UNREADABLE = "log unreadable"
_STYLES = {"running": "green", "driver lost": "red", "no event log": "dim"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 if there are no runs, otherwise 0."""
    from parsl.eventlog.overview import newest_runs

    options = _parse(arguments)
    directory = options.directory or options.run_dir
    try:
        runs_in(directory)
    except NoRun as error:
        print_error("runs", error)
        return NOT_FOUND
    runs = newest_runs(directory, options.number)
    if options.json:
        print_json([{**asdict(run), "duration_s": run.duration_s} for run in runs])
    elif runs:
        console().print(as_table(runs, time()))
        for run in runs:
            if _is_unreadable(run):
                print_error("runs", run.standing)
    if not runs:
        where = os.path.abspath(directory)
        problem = "has no runs" if os.path.isdir(where) else "is not a directory"
        print_error(
            "runs",
            f"{where} {problem}. Name the directory of the runs: parsl runs DIRECTORY (Config.run_dir)",
        )
    return 0 if runs else NOT_FOUND


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl runs", description=_DESCRIPTION)
    parser.add_argument(
        "directory",
        metavar="DIRECTORY",
        nargs="?",
        help="the directory of the runs, Config.run_dir (default: runinfo)",
    )
    parser.add_argument(
        "--run-dir", default="runinfo", metavar="DIRECTORY", help="the same, as for other commands"
    )
    parser.add_argument(
        "-n", dest="number", type=_number, metavar="NUMBER", help="list the newest NUMBER runs only"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs, 1 or more")
    return int(text)


def as_table(runs: Sequence[RunOverview], now_s: float) -> Table:
    """Return a table of runs."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("run", "began", "took", "done", "failed", "unfinished"):
        table.add_column(heading, justify="left" if heading in ("run", "began") else "right", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    table.add_column("workflow", overflow="fold")
    for run in runs:
        table.add_row(*_cells(run, now_s), style=_STYLES.get(run.standing))
    return table


def _is_unreadable(run: RunOverview) -> bool:
    """Whether the standing of a run is the reason why its log cannot be read."""
    from parsl.eventlog.answers import ELSEWHERE, ENDED, LOST, RUNNING
    from parsl.eventlog.overview import NO_LOG

    return run.standing not in (ELSEWHERE, ENDED, LOST, RUNNING, NO_LOG)


def _cells(run: RunOverview, now_s: float) -> list[str]:
    from parsl.eventlog.answers import ENDED, RUNNING, duration

    took_s = run.duration_s
    if took_s is None and run.began_s is not None and run.standing == RUNNING:
        took_s = now_s - run.began_s
    counts = ["" if number is None else f"{number:,}" for number in (run.done, run.failed, run.unfinished)]
    how = "with failures" if run.standing == ENDED and run.failed else run.standing
    if _is_unreadable(run):
        how = _UNREADABLE
    began = "" if run.began_s is None else strftime("%Y-%m-%d %H:%M:%S", localtime(run.began_s))
    return [os.path.basename(run.run_dir), began, duration(took_s), *counts, how, run.workflow or ""]
