"""Which run a command is about: ``RUN`` is a directory, a number in the directory of the runs, or missing."""

from __future__ import annotations

import argparse
import os

from parsl.common.rundirs import numbered_rundirs
from parsl.eventlog import EVENT_LOG

NEWEST = "last"
#: The exit code of commands that do not find what they are about.
NOT_FOUND = 2
#: The number of runs that an error message lists.
_MAX_LISTED = 10


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ``RUN`` and ``--run-dir``."""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        default=NEWEST,
        help="a run's directory, or its number in --run-dir; the newest run by default, or with 'last'",
    )
    parser.add_argument(
        "--run-dir",
        default="runinfo",
        metavar="DIRECTORY",
        help="the directory of the runs, Config.run_dir (default: %(default)s)",
    )


class NoRun(Exception):
    """A run does not exist, or may not be read; the message lists the existing runs, or names the remedy."""


def runs_in(directory: str) -> list[str]:
    """Return the directories of the runs in a directory, the newest last.

    Raises:
        NoRun: The directory cannot be read.
    """
    try:
        return numbered_rundirs(directory)
    except OSError as error:
        where = os.path.abspath(directory)
        raise NoRun(
            f"{where} cannot be read: {error.strerror or error}. Its owner can let others read it: "
            f"chmod -R a+rX {where}"
        ) from None


def find_run(name: str, base: str) -> str:
    """Return the directory of a run, given as a path, as a number in ``base``, or as 'last' for the newest.

    Raises:
        NoRun: There is no such run.
    """
    runs = runs_in(base)
    if name == NEWEST and runs:
        return runs[-1]
    if name.isdigit():
        for run in runs:
            if int(os.path.basename(run)) == int(name):
                return run
    elif os.path.isfile(name) and os.path.basename(name) == EVENT_LOG:
        return os.path.dirname(name) or "."
    elif os.path.isfile(name):
        raise NoRun(f"{name!r} is a file: name the directory of a run. {_existing_runs(base, runs)}")
    elif os.path.isdir(name):
        inner = runs_in(name)
        if inner:
            raise NoRun(
                f"{name!r} contains the directories of {len(inner)} runs: name one, such as {inner[-1]!r}, "
                "the newest"
            )
        return name
    raise NoRun(f"there is no run {name!r}. {_existing_runs(base, runs)}")


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
    return f"The {'newest ' if len(runs) > _MAX_LISTED else ''}runs in {where} are {names}"
