"""The file systems of this host, and which of them other hosts are likely to share."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: On disks or in the memory of one host.
LOCAL_TYPES = frozenset(
    (
        "aufs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay",
        "ramfs", "rootfs", "squashfs", "tmpfs", "vfat", "xfs", "zfs",
    )
)  # fmt: skip
#: From a server, to many hosts.
_SHARED_TYPES = frozenset(
    (
        "9p", "afs", "beegfs", "ceph", "cifs", "daos", "dvs", "glusterfs", "gpfs", "lustre", "nfs",
        "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "vast", "virtiofs", "wekafs",
    )
)  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A file system, and where it is."""

    point: str
    kind: str

    @property
    def is_shared(self) -> bool:
        """Whether it comes from a server."""
        return self.kind in _SHARED_TYPES or self.kind.startswith("fuse.")


def read_mounts(path: str = "/proc/self/mountinfo") -> list[Mount]:
    """Return what is mounted; nothing where that cannot be known."""
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
    """Return the file system that a path is on; of several at a place, the last one hides the others."""
    best = None
    for mount in mounts:
        inside = mount.point == os.sep or path == mount.point or path.startswith(mount.point + os.sep)
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best
