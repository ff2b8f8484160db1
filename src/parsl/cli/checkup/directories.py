"""Whether directories can be written, and whether other nodes are likely to see them."""

from __future__ import annotations

import os

from parsl.cli.checkup.finding import ERROR, OK, WARNING, Finding
from parsl.cli.checkup.mounts import LOCAL_TYPES, Mount, find_mount, read_mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject

_TOPIC = "directory"
_MIN_FREE_BYTES = 200 * 2**20
#: Whatever file system these are on, each node has its own.
_PRIVATE = ("/tmp", "/var/tmp", "/dev/shm", "/run")


def check_directories(subject: Subject) -> list[Finding]:
    """Check the run directory and the log directory.

    The executor's ``working_dir`` is on the nodes, and cannot be checked from here.
    """
    named = {
        "run_dir": subject.config.run_dir,
        "worker_logdir_root": getattr(subject.executor, "worker_logdir_root", None),
    }
    findings = []
    for name, path in named.items():
        if path:
            findings += _check(name, os.path.abspath(path), subject)
    return findings


def _check(name: str, path: str, subject: Subject) -> list[Finding]:
    there = _nearest(path)
    if not os.path.isdir(there):
        return [Finding(ERROR, _TOPIC, f"{name} is {path}, but {there} is no directory.")]
    if not os.access(there, os.W_OK | os.X_OK):
        return [Finding(ERROR, _TOPIC, f"{name} is {path}, but you may not write to {there}.")]
    if "\n" in path:
        return [Finding(ERROR, _TOPIC, f"{name} is {path!r}: a line break in it breaks job scripts.")]
    findings = [*_check_space(name, there), *_check_sharing(name, path, there, subject)]
    return findings or [Finding(OK, _TOPIC, f"{name} can be written: {path}")]


def _nearest(path: str) -> str:
    """Return the part of the path that exists: the rest is made when it is needed."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _check_space(name: str, path: str) -> list[Finding]:
    try:
        space = os.statvfs(path)
    except OSError as error:
        return [Finding(WARNING, _TOPIC, f"{name}: {error}")]
    free = space.f_bavail * space.f_frsize
    if free >= _MIN_FREE_BYTES or not space.f_blocks:
        return []
    return [
        Finding(WARNING, _TOPIC, f"{name} is on a file system with only {free / 2**20:.0f} MB left: {path}.")
    ]


def _check_sharing(name: str, path: str, there: str, subject: Subject) -> list[Finding]:
    if subject.provider is None or (subject.is_local and subject.nodes_per_block == 1):
        return []
    real = os.path.realpath(there)
    mount = find_mount(real, read_mounts())
    reason = _why_private(real, mount)
    if not reason:
        return []
    text = f"{name} is {path}, {reason}: the nodes have to see it, for scripts, settings and logs."
    advice = "Use a directory on a shared file system, unless this host and the nodes are the same."
    return [Finding(WARNING, _TOPIC, text, advice)]


def _why_private(path: str, mount: Mount | None) -> str:
    if mount is not None and mount.is_shared:
        return ""
    if any(path == private or path.startswith(f"{private}/") for private in _PRIVATE):
        return "which every node has its own of"
    if mount is not None and mount.kind in LOCAL_TYPES:
        return f"on a file system of this host ({mount.kind} at {mount.point})"
    return ""
