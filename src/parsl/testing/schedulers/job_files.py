"""The files of a job: its script and node file, its output while it runs and after."""

from __future__ import annotations

import os
from contextlib import suppress

from parsl.testing.schedulers.dialect import LaunchPlan

__all__ = ["LaunchPlan", "append", "clear", "deliver", "prepare", "redirect"]

_STDIN_SUFFIX = ".stdin"


def prepare(plan: LaunchPlan) -> None:
    """Write what the job needs before it starts."""
    for directory in plan.directories:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    for path, text in (*plan.files, plan.script, (_stdin_path(plan), plan.stdin_text)):
        _write(path, text)
    os.chmod(plan.script[0], 0o700)
    for path in {plan.stdout, plan.stderr}:
        _write(path, "")


def redirect(plan: LaunchPlan) -> None:
    """Give this process the job's input and output."""
    stdin = os.open(_stdin_path(plan), os.O_RDONLY)
    stdout = os.open(plan.stdout, os.O_WRONLY | os.O_APPEND)
    stderr = os.open(plan.stderr, os.O_WRONLY | os.O_APPEND)
    for descriptor, source in ((0, stdin), (1, stdout), (2, stderr)):
        os.dup2(source, descriptor)


def append(path: str, text: str) -> None:
    """Add to a file; the job may write to it, too."""
    with open(path, "a") as file:
        file.write(text)


def deliver(plan: LaunchPlan) -> bool:
    """Put the output where the user wants it, at the end of the job.

    Returns:
        Whether that was possible: a directory that does not exist is not made.
    """
    delivered = True
    for spooled, wanted in plan.deliveries:
        try:
            with open(spooled, "rb") as source, open(wanted, "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
        except OSError:
            delivered = False
    return delivered


def clear(plan: LaunchPlan) -> None:
    """Remove what the job had only while it ran."""
    for spooled, _ in plan.deliveries:
        _remove(spooled)
    for path, _ in plan.files:
        _remove(path)
    _remove(_stdin_path(plan))
    if plan.directories:
        from shutil import rmtree

        for directory in plan.directories:
            rmtree(directory, ignore_errors=True)


def _stdin_path(plan: LaunchPlan) -> str:
    return plan.script[0] + _STDIN_SUFFIX


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
