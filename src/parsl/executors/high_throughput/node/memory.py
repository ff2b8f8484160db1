"""The memory of a node, and how much of it the system allows this job: the limits of control groups.

Batch systems and containers put the processes of a job into a control group (cgroup). A process that exceeds
the group's limit, or one of a group around it, is killed, however much memory the node has.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

#: The file with the limit of a group, by the version of control groups.
_V1_FILE, _V2_FILE = "memory.limit_in_bytes", "memory.max"
#: Version 1 shows a number above this (bytes) for a group without a limit.
_UNLIMITED_BYTES = 2**60


class _Mount(NamedTuple):
    """A mounted hierarchy of control groups that limit memory."""

    #: The group that is visible at the mount point: not the root of the hierarchy inside of a container.
    root: PurePosixPath
    point: Path
    file: str


def total_memory_bytes() -> int:
    """Return the memory of this node."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_limit_bytes(process: Path = Path("/proc/self")) -> float:
    """Return the lowest limit of the control groups that a process is in; infinity if there is none.

    Args:
        process: The directory of the process in /proc.
    """
    try:
        mounts = list(_mounts((process / "mountinfo").read_text()))
        groups = dict(_groups((process / "cgroup").read_text()))
    except (OSError, UnicodeError):
        return math.inf  # not on Linux, or without control groups
    found = [
        _read_limit(directory / mount.file)
        for mount in mounts
        if mount.file in groups
        for directory in _directories(mount, groups[mount.file])
    ]
    return min(found, default=math.inf)


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    """Find the hierarchies in the lines of ``mountinfo``; see proc(5)."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, types = fields.split(), rest.split()
        if len(words) < 5 or len(types) < 3:
            continue
        if types[0] == "cgroup2" or (types[0] == "cgroup" and "memory" in types[2].split(",")):
            file = _V2_FILE if types[0] == "cgroup2" else _V1_FILE
            yield _Mount(PurePosixPath(words[3]), Path(words[4]), file)


def _groups(cgroup: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Yield the process's groups, by the file that contains their limits."""
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            yield _V1_FILE, PurePosixPath(path)
        elif number == "0" and not controllers:
            yield _V2_FILE, PurePosixPath(path)


def _directories(mount: _Mount, group: PurePosixPath) -> Iterator[Path]:
    """Yield the directories of a group and of those around it, as far as they are visible."""
    try:
        below = group.relative_to(mount.root)
    except ValueError:
        below = PurePosixPath()  # a container: the mount point is its own group
    yield mount.point
    for at in range(len(below.parts)):
        yield mount.point.joinpath(*below.parts[: at + 1])


def _read_limit(file: Path) -> float:
    try:
        limit = float(file.read_text())
    except (OSError, ValueError):
        return math.inf  # "max", or a group without the controller
    return limit if 0 < limit < _UNLIMITED_BYTES else math.inf
