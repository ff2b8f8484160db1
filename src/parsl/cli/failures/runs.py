"""Finds the directory of a run."""

from __future__ import annotations

import os

from parsl.common.rundirs import numbered_rundirs

#: The number of runs that an error message lists.
_SHOWN = 10


class NoRun(Exception):
    """A run does not exist; the message lists the existing runs."""


def find_run(name: str, base: str) -> str:
    """Return a run's directory.

    Args:
        name: The directory, the run's number, or 'last'.
        base: The directory with the runs.

    Raises:
        NoRun: The run does not exist.
    """
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
    raise NoRun(f"there is no run {name!r}: {_which_there_are(base, runs)}")


def _which_there_are(base: str, runs: list[str]) -> str:
    where = os.path.abspath(base)
    if not os.path.isdir(base):
        return (
            f"{where} is not a directory. Change to the directory in which the script was started, or name "
            "the directory of the runs: --run-dir (Config.run_dir)"
        )
    if not runs:
        return f"{where} has no runs. Name the directory of the runs: --run-dir (Config.run_dir)"
    names = ", ".join(os.path.basename(run) for run in runs[-_SHOWN:])
    return f"the {'newest ' if len(runs) > _SHOWN else ''}runs in {where} are {names}"
