"""Checks of directories: whether they can be written, and whether other nodes are likely to see them."""

from __future__ import annotations

import os

from parsl.cli.checkup.subject import Subject
from parsl.common.mounts import Mount, find_mount, read_mounts
from parsl.vocabulary.findings import Finding, Topic

_DIRECTORY = Topic("directory")
_MIN_FREE_BYTES = 200 * 2**20
#: Each node has its own of these, whatever the file system.
_PRIVATE = ("/tmp", "/var/tmp", "/dev/shm", "/run")
#: File systems on the disks or in the memory of one host.
_LOCAL_TYPES = frozenset([
    "aufs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay",
    "ramfs", "rootfs", "squashfs", "tmpfs", "vfat", "xfs", "zfs",
])  # fmt: skip


def check_directories(subject: Subject) -> list[Finding]:
    """Check the run directory and the log directory.

    The executor's ``working_dir`` is on the nodes, so it cannot be checked here.
    """
    named = {
        "run_dir": subject.config.run_dir,
        "worker_logdir_root": getattr(subject.executor, "worker_logdir_root", None),
    }
    findings = []
    for name, path in named.items():
        if path:
            findings += _check_directory(name, os.path.abspath(path), subject)
    return findings


def _check_directory(name: str, path: str, subject: Subject) -> list[Finding]:
    existing = path  # the part of the path that exists; the rest is created when it is needed
    while not os.path.lexists(existing) and existing != os.path.dirname(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        return [_DIRECTORY.error(f"{name} is {path}, but {existing} is not a directory.")]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [_DIRECTORY.error(f"{name} is {path}, but you may not write to {existing}.")]
    if "\n" in path:
        return [_DIRECTORY.error(f"{name} is {path!r}: job scripts cannot contain the line break.")]
    findings = [*_check_space(name, existing), *_check_sharing(name, path, existing, subject)]
    return findings or [_DIRECTORY.ok(f"{name} can be written: {path}")]


def _check_space(name: str, path: str) -> list[Finding]:
    try:
        space = os.statvfs(path)
    except OSError as error:
        return [_DIRECTORY.warning(f"{name}: {error}")]
    free = space.f_bavail * space.f_frsize
    if free >= _MIN_FREE_BYTES or not space.f_blocks:
        return []
    return [_DIRECTORY.warning(f"{name} is on a file system with only {free / 2**20:.0f} MB left: {path}.")]


def _check_sharing(name: str, path: str, existing: str, subject: Subject) -> list[Finding]:
    if subject.provider is None or (subject.is_local and subject.nodes_per_block == 1):
        return []
    if not getattr(subject.provider, "shares_files", True):
        return []  # its nodes get everything with the command of their block
    real = os.path.realpath(existing)
    reason = why_private(real, find_mount(real, read_mounts()))
    if not reason:
        return []
    text = f"{name} is {path}, {reason}: the nodes need it for scripts, settings and logs."
    advice = "Use a directory on a shared file system, unless the nodes are this host."
    return [_DIRECTORY.warning(text, advice)]


def why_private(path: str, mount: Mount | None) -> str:
    """Return why other nodes probably do not see a path; empty if there is no reason."""
    if mount is not None and mount.is_shared:
        return ""
    if any(path == private or path.startswith(f"{private}/") for private in _PRIVATE):
        return "a directory that every node has its own copy of"
    if mount is not None and mount.kind in _LOCAL_TYPES:
        return f"on a file system of this host ({mount.kind} at {mount.point})"
    return ""
