"""How much memory and CPU time the system allows this job: the limits of control groups.

Batch systems and containers put the processes of a job into a control group (cgroup). The limits of the
group, and of each group around it, hold however much the node has: a process that exceeds the limit of memory
is killed, and processes that have used up their quota of CPU time pause.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_PROCESS = Path("/proc/self")
#: Version 1 shows a number above this (bytes) for a group without a limit.
_UNLIMITED_BYTES = 2**60


class _Mount(NamedTuple):
    """A mounted hierarchy of control groups."""

    #: The group that is visible at the mount point: not the root of the hierarchy inside of a container.
    root: PurePosixPath
    point: Path
    #: 1 or 2.
    version: int


def memory_limit_bytes(process: Path = _PROCESS) -> float:
    """Return the lowest limit of the control groups that a process is in; infinity if there is none.

    Args:
        process: The directory of the process in /proc.
    """
    return _lowest("memory", process, _memory_limit)


def cpu_limit(process: Path = _PROCESS) -> float:
    """Return the lowest quota of CPU time of the groups that a process is in; infinity if there is none.

    Args:
        process: The directory of the process in /proc.

    Returns:
        The number of CPUs that would use up the quota; it may be a fraction.
    """
    return _lowest("cpu", process, _cpu_quota)


def _memory_limit(group: Path, version: int) -> float:
    file = "memory.limit_in_bytes" if version == 1 else "memory.max"
    limit = float((group / file).read_text())
    return limit if limit < _UNLIMITED_BYTES else math.inf


def _cpu_quota(group: Path, version: int) -> float:
    if version == 1:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    else:
        quota, period = (group / "cpu.max").read_text().split()
    return float(quota) / float(period)


def _lowest(controller: str, process: Path, read: Callable[[Path, int], float]) -> float:
    try:
        mounts = list(_mounts((process / "mountinfo").read_text(), controller))
        groups = dict(_groups((process / "cgroup").read_text(), controller))
    except (OSError, UnicodeError):
        return math.inf  # not on Linux, or without control groups
    found = (
        _read(directory, mount.version, read)
        for mount in mounts
        if mount.version in groups
        for directory in _directories(mount, groups[mount.version])
    )
    return min(found, default=math.inf)


def _mounts(mountinfo: str, controller: str) -> Iterator[_Mount]:
    """Find the hierarchies of a controller in the lines of ``mountinfo``; see proc(5)."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, types = fields.split(), rest.split()
        if len(words) < 5 or len(types) < 3:
            continue
        if types[0] == "cgroup2" or (types[0] == "cgroup" and controller in types[2].split(",")):
            yield _Mount(PurePosixPath(words[3]), Path(words[4]), 2 if types[0] == "cgroup2" else 1)


def _groups(cgroup: str, controller: str) -> Iterator[tuple[int, PurePosixPath]]:
    """Yield the process's groups, by the version of control groups."""
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            yield 1, PurePosixPath(path)
        elif number == "0" and not controllers:
            yield 2, PurePosixPath(path)


def _directories(mount: _Mount, group: PurePosixPath) -> Iterator[Path]:
    """Yield the directories of a group and of those around it, as far as they are visible."""
    try:
        below = group.relative_to(mount.root)
    except ValueError:
        below = PurePosixPath()  # a container: the mount point is its own group
    yield mount.point
    for at in range(len(below.parts)):
        yield mount.point.joinpath(*below.parts[: at + 1])


def _read(group: Path, version: int, read: Callable[[Path, int], float]) -> float:
    try:
        limit = read(group, version)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf  # "max", or a group without the controller
    return limit if limit > 0 else math.inf
