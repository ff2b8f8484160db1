"""Finds a run, and reads its failure log."""

from __future__ import annotations

import json
import os
from typing import Any

from parsl.common.rundirs import numbered_rundirs
from parsl.dataflow.tasks.failure_log import FAILURE_LOG, RUN_OVER

#: A line of the failure log.
Line = dict[str, Any]
#: The number of runs that an error message lists.
_MAX_LISTED = 10


class NoRun(Exception):
    """A run does not exist; the message lists the existing runs."""


def find_run(name: str, base: str) -> str:
    """Return the directory of a run, given as a path, as a number in ``base``, or as 'last'."""
    runs = numbered_rundirs(base)
    if name == "last" and runs:
        return runs[-1]
    if name.isdigit():
        for run in runs:
            if int(os.path.basename(run)) == int(name):
                return run
    elif os.path.isdir(name):
        inner = numbered_rundirs(name)
        if inner:
            raise NoRun(
                f"{name!r} contains the directories of {len(inner)} runs: name one, such as {inner[-1]!r}, "
                "the newest"
            )
        return name
    raise NoRun(f"there is no run {name!r}: {_existing_runs(base, runs)}")


def _existing_runs(base: str, runs: list[str]) -> str:
    where = os.path.abspath(base)
    if not os.path.isdir(base):
        return (
            f"{where} is not a directory. Change to the directory in which the script was started, or name "
            "the directory of the runs: --run-dir (Config.run_dir)"
        )
    if not runs:
        return f"{where} has no runs. Name the directory of the runs: --run-dir (Config.run_dir)"
    names = ", ".join(os.path.basename(run) for run in runs[-_MAX_LISTED:])
    return f"the {'newest ' if len(runs) > _MAX_LISTED else ''}runs in {where} are {names}"


class NoFailureLog(Exception):
    """A run has no readable failure log; the message explains what that means."""


class Failures:
    """The failures of a run: the lines of its log, oldest first, and the number of unreadable ones."""

    def __init__(self, run: str, lines: list[Line], unreadable: int) -> None:
        self.run = run
        self.lines = lines
        self.unreadable = unreadable
        self.by_task: dict[int, list[Line]] = {}
        #: The number of tasks that had not ended at the end of the run.
        self.unfinished = 0
        for line in lines:
            if line.get("outcome") == RUN_OVER:
                self.unfinished = line.get("unfinished", 0)
            elif isinstance(line.get("task_id"), int):
                self.by_task.setdefault(line["task_id"], []).append(line)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.by_task)} tasks in {self.run}>"


def read_failures(run: str) -> Failures:
    """Read the failure log of a run; raise `NoFailureLog` if there is no readable one."""
    path = os.path.join(run, FAILURE_LOG)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            texts = file.read().splitlines()
    except FileNotFoundError:
        raise NoFailureLog(_no_log(run)) from None
    except OSError as error:
        raise NoFailureLog(f"{path} cannot be read: {error.strerror or error}") from error
    lines = [line for text in texts if (line := _parse(text)) is not None]
    if not lines:
        raise NoFailureLog(f"{path} has no readable line")
    return Failures(run, lines, len(texts) - len(lines))


def _no_log(run: str) -> str:
    if os.path.exists(os.path.join(run, "parsl.log")):
        return f"no failures are recorded in {run}: no attempt of a task has failed"
    return (
        f"{run} has no {FAILURE_LOG} and no parsl.log: no task has failed, it is not the directory of a run, "
        "or the run wrote no logs (Config(initialize_logging=False))"
    )


def _parse(text: str) -> Line | None:
    """Parse a line; None if it is incomplete, because the run was killed or the disk was full."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
