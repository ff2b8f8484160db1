"""The mounted file systems of this host, and which of them a server shares with other hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

#: File systems that a server exports to many hosts.
_SHARED_TYPES = frozenset([
    "9p", "afs", "beegfs", "ceph", "cifs", "daos", "dvs", "glusterfs", "gpfs", "lustre", "nfs",
    "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "vast", "virtiofs", "wekafs",
])  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system."""

    point: str
    kind: str

    @property
    def is_shared(self) -> bool:
        return self.kind in _SHARED_TYPES or self.kind.startswith("fuse.")


def read_mounts(path: str = "/proc/self/mountinfo") -> list[Mount]:
    """Return the mounted file systems; empty if they are unknown."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return parse_mounts(file.read())
    except OSError:
        return []


def parse_mounts(text: str) -> list[Mount]:
    """Read ``/proc/self/mountinfo``."""
    mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        words, kinds = before.split(), after.split()
        if separator and len(words) > 4 and kinds:
            mounts.append(Mount(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), words[4]), kinds[0]))
    return mounts


def find_mount(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the file system of a path; the last one mounted at a place hides the others."""
    inside = [mount for mount in mounts if f"{path}/".startswith(mount.point.rstrip("/") + "/")]
    return max(reversed(inside), key=lambda mount: len(mount.point), default=None)
