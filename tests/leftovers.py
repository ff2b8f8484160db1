"""Find the processes that this test session started, including orphans and daemons.

Titles, environments, parents and sessions change; resource limits are inherited and stay. So the
session marks itself with a value of a limit that nothing here uses.
"""

from __future__ import annotations

import os
import resource

import psutil

_LIMIT = psutil.RLIMIT_MSGQUEUE
_MARK_BASE = 100_000_000


def mark_this_process() -> int:
    """Mark this process and all of its future descendants; return the mark."""
    _, hard = resource.getrlimit(_LIMIT)
    mark = _MARK_BASE + os.getpid()
    if hard != resource.RLIM_INFINITY:
        mark = hard - 1 - os.getpid() % (hard // 2)
    resource.setrlimit(_LIMIT, (mark, hard))
    return mark


def find(mark: int) -> list[psutil.Process]:
    """Return the processes of Parsl with this mark, other than this process."""
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _is_of_parsl(process) and _mark_of(process) == mark
    ]


def describe(process: psutil.Process) -> str:
    """Describe a process in one line, for messages."""
    try:
        with process.oneshot():
            return f"pid {process.pid}, {process.status()}, in {process.cwd()}: {' '.join(process.cmdline())}"
    except psutil.Error as error:
        return f"pid {process.pid}: {error}"


def kill(processes: list[psutil.Process]) -> None:
    """Kill them and wait for their end."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=30)


def _is_of_parsl(process: psutil.Process) -> bool:
    try:
        return "parsl" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _mark_of(process: psutil.Process) -> int | None:
    try:
        return int(process.rlimit(_LIMIT)[0])
    except (psutil.Error, OSError):
        return None
