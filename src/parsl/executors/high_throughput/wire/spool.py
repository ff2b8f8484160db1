"""Large payloads between processes of one host: through files in memory, instead of through every socket.

The driver holds a lock (flock(2)) in the directory as long as it lives. A process that obtains the lock knows
that the driver is dead: interchange, manager or the user's next run then remove the directory.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from parsl.common.system import SHARED_MEMORY

#: Payloads from this size on, in bytes, go through the spool.
SPOOL_LIMIT = 48 * 1024
_PREFIX = "parsl-"
#: A directory is hidden while it is being created, because its lock is not held yet.
_HIDDEN_PREFIX = f".{_PREFIX}"
#: The file that a driver locks in its directory.
_OWNER = "owner"
#: A driver that is killed closes its connections and releases its lock one after the other. How long other
#: processes wait for the lock, and how often they try, in seconds.
DRIVER_END_TIMEOUT_S = 2.0
_POLL_PERIOD_S = 0.01
#: A worker that is still alive may add a file to a directory while it is being removed, this many times.
_MAX_REMOVALS = 10
#: A directory without a lock is removed at this age, in seconds: its driver was killed while it created or
#: removed the directory.
_MAX_UNLOCKED_AGE_S = 3600.0
#: The names of our directories, and of the files in them.
_DIRECTORY_NAME = re.compile(r"\.?parsl-[a-z0-9_]{8}")
_FILE_NAME = re.compile(r"[rt]\d+|arena|owner")


class Spool(NamedTuple):
    """A driver's directory for payloads."""

    directory: str
    #: Descriptor of the locked file: the directory is in use as long as any process has it open.
    owner_fd: int

    def let_go(self) -> None:
        """Release the directory in a forked child: it belongs to the parent."""
        os.close(self.owner_fd)

    def remove(self) -> None:
        remove_directory(self.directory)
        os.close(self.owner_fd)


def make_spool() -> Spool | None:
    """Create a directory for payloads, and remove directories whose drivers and other processes were killed.

    Returns None on a host without a file system in memory, or without room there.
    """
    if not os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
        return None
    _remove_orphans()
    try:
        return claim_directory(SHARED_MEMORY, _PREFIX)
    except OSError:
        return None


def claim_directory(parent: str, prefix: str) -> Spool:
    """Create a directory that :func:`remove_if_orphaned` removes once this process has been killed.

    Raises:
        OSError: It cannot be created.
    """
    made = tempfile.mkdtemp(prefix=f".{prefix}", dir=parent)
    fd = -1
    try:
        fd = os.open(f"{made}/{_OWNER}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory = f"{parent}/{os.path.basename(made)[1:]}"
        os.rename(made, directory)  # other processes may find it now that it is locked
    except OSError:
        if fd >= 0:
            os.close(fd)
        remove_directory(made)
        raise
    return Spool(directory, fd)


def remove_if_orphaned(directory: str, timeout_s: float = 0.0) -> None:
    """Remove a driver's directory, if any, after the driver has died or if it dies within the time."""
    if not directory:
        return
    try:
        fd = os.open(f"{directory}/{_OWNER}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it has been removed, or is not ours
    try:
        deadline_s = time.monotonic() + timeout_s
        while not _is_dead(fd):
            if time.monotonic() >= deadline_s:
                return
            time.sleep(_POLL_PERIOD_S)
        remove_directory(directory)
    finally:
        os.close(fd)


def _is_dead(owner_fd: int) -> bool:
    try:
        fcntl.flock(owner_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_orphans() -> None:
    remove_orphans(SHARED_MEMORY, _PREFIX)
    for directory in (
        *_our_directories(SHARED_MEMORY, _PREFIX),
        *_our_directories(SHARED_MEMORY, _HIDDEN_PREFIX),
    ):
        if _is_unfinished(directory):
            remove_directory(directory)


def remove_orphans(parent: str, prefix: str) -> None:
    """Remove the directories of :func:`claim_directory` that processes of this user have left."""
    for directory in _our_directories(parent, prefix):
        remove_if_orphaned(directory)


def _our_directories(parent: str, prefix: str) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return [entry.path for entry in entries if entry.name.startswith(prefix) and _is_ours(entry)]
    except OSError:
        return []


def _is_unfinished(directory: str) -> bool:
    """Return whether its driver was killed while it created or removed the directory."""
    try:
        age_s = time.time() - os.stat(directory, follow_symlinks=False).st_mtime
        names = os.listdir(directory)
    except OSError:
        return False
    name = os.path.basename(directory)
    if age_s < _MAX_UNLOCKED_AGE_S or not _DIRECTORY_NAME.fullmatch(name):
        return False
    is_unlocked = name.startswith(_HIDDEN_PREFIX) or _OWNER not in names
    return is_unlocked and all(map(_FILE_NAME.fullmatch, names))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:
        return False


def remove_directory(directory: str) -> None:
    """Remove a driver's directory and everything in it; do nothing for an empty path."""
    for _ in range(_MAX_REMOVALS):
        if not (directory and os.path.lexists(directory)):
            return
        shutil.rmtree(directory, ignore_errors=True)


def task_file(directory: str, task_id: int) -> str:
    """Return the path of a task's arguments."""
    return f"{directory}/t{task_id}"


def result_file(directory: str, task_id: int) -> str:
    """Return the path of a task's result."""
    return f"{directory}/r{task_id}"


def write(path: str, pieces: Sequence[Any]) -> bool:
    """Write pieces one after the other to a file that only the user can read.

    Returns whether there was room. If not, no file is left.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            while view.nbytes:
                view = view[os.write(fd, view) :]
    except OSError:
        discard(path)
        return False
    finally:
        os.close(fd)
    return True


def read(path: str, sizes: Sequence[int]) -> list[memoryview]:
    """Map a file and remove its name. Return its pieces, which are writable and keep the memory."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        view = memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_COPY))
    finally:
        os.close(fd)
    os.unlink(path)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(view[at : at + size])
        at += size
    return pieces


def discard(path: str) -> None:
    """Remove a file that will not be read, if it exists."""
    try:
        os.unlink(path)
    except OSError:
        pass
