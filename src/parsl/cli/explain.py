"""``parsl explain [RUN [TASK]]``: what went wrong in a run, and in each attempt of one task."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from parsl.cli import print_error
from parsl.cli.failures import (
    NoFailureLog,
    all_failures,
    nothing_known,
    read_failures,
    task_history,
)
from parsl.cli.run_choice import NOT_FOUND, NoRun, add_run_arguments, find_run
from parsl.dataflow.tasks.failure_log import FAILURE_LOG
from parsl.eventlog import EVENT_LOG

_DESCRIPTION = """\
Show what went wrong in a run: all of its failed tasks, or, for one task, each attempt: where it ran, for how
long, why it failed, what followed, and where the logs are. The command reads failures.jsonl in the run
directory, and events.parsl for tasks without failures. Runs append failures immediately, so the command works
during a run, and after it was killed.
The exit code is 2 if the run does not exist or has no logs, or if the task has no failures.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 if the run or its logs do not exist, or the task has no failures; else 0."""
    options = _parse(arguments)
    try:
        run = find_run(options.run, options.run_dir)
        failures = read_failures(run)
    except (NoRun, NoFailureLog) as error:
        if isinstance(error, NoFailureLog) and options.task is None and _has_no_failures(run):
            print("[]" if options.json else error)
            return 0
        hint = ""
        if isinstance(error, NoFailureLog):
            hint = _state_of(run, options.task)
        print_error("explain", f"{error}{hint}")
        return NOT_FOUND
    if options.task is not None and options.task not in failures.by_task:
        print_error("explain", nothing_known(failures, options.task) + _state_of(run, options.task))
        return NOT_FOUND
    if options.json:
        lines = failures.lines if options.task is None else failures.by_task[options.task]
        print(json.dumps(lines, indent=2))
    elif options.task is None:
        print(all_failures(failures))
    else:
        print(task_history(failures, options.task))
    return 0


def _has_no_failures(run: str) -> bool:
    """Whether a directory is that of a run, and no attempt has failed."""
    there = [os.path.exists(os.path.join(run, name)) for name in (FAILURE_LOG, "parsl.log", EVENT_LOG)]
    return not there[0] and any(there)


def _state_of(run: str, task: int) -> str:
    """Return what the event log has about a task without failures, as another line; empty if nothing."""
    from parsl.eventlog.file import EventLogError
    from parsl.eventlog.history import read_history

    try:
        found = read_history(run).task(task)
    except (EventLogError, KeyError):
        return ""
    place = f" on {found.host}" if found.host else ""
    attempt = f"attempt {found.attempt + 1}{place}"
    return f"\nThe event log: task {task} ({found.app}) is in state {found.state}, {attempt}."


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl explain", description=_DESCRIPTION)
    add_run_arguments(parser)
    parser.add_argument(
        "task",
        metavar="TASK",
        type=_task_number,
        nargs="?",
        help="the number of a task; by default all tasks with failures",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _task_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the number of a task; the first task of a run is 0"
        )
    return int(text)
