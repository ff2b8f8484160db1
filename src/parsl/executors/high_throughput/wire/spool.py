"""Large payloads between processes of one host: through files in memory, instead of through every socket.

The driver writes a task's arguments once, the worker maps them; results the other way round. Interchange and
manager pass on a record of a few bytes. The directory belongs to the user alone; the receiver removes each
file, and the driver the directory.

The driver holds a lock in it (flock(2)) as long as it lives, whatever ends it. Who gets that lock knows that
the driver is dead, and that nobody needs the directory any more: the interchange, or, where that was lost as
well, a manager; where all of them were killed, the user's next run on this host.
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

#: A file system in memory, where there is one.
_MEMORY = "/dev/shm"
#: From this size on, in bytes, payloads go through the spool.
SPOOL_LIMIT = 48 * 1024
_PREFIX = "parsl-"
#: While it is being made, a directory is hidden from others: its lock is not held yet.
_HIDDEN_PREFIX = f".{_PREFIX}"
#: The file in a directory that its driver has locked.
_OWNER = "owner"
#: A driver that is killed closes its connections and gives up its lock one after the other. How long the
#: others wait for that at most, and how often they look, in seconds.
ENDING_PATIENCE_S = 2.0
_LOOK_S = 0.01
#: A worker that lives yet may put a file into a directory that is just being removed, so many times.
_MAX_REMOVALS = 10
#: What has no lock is nobody's after so long, in seconds: its driver was killed while it made or removed it.
_UNLOCKED_PATIENCE_S = 3600.0
#: The names of a directory of ours, and of what can be in it.
_DIRECTORY_NAME = re.compile(r"\.?parsl-[a-z0-9_]{8}")
_FILE_NAME = re.compile(r"[rt]\d+|arena|owner")


class Spool(NamedTuple):
    """A driver's directory for payloads."""

    directory: str
    #: The descriptor of the locked file: the directory is in use as long as this is open in any process.
    owner_fd: int

    def let_go(self) -> None:
        """Leave the directory to others, in a forked child: it is the parent's."""
        os.close(self.owner_fd)

    def remove(self) -> None:
        """Remove it, with all that is in it."""
        remove_directory(self.directory)
        os.close(self.owner_fd)


def make_spool() -> Spool | None:
    """Make a directory for payloads, and remove those of drivers that were killed with all that they had.

    Returns: it; None where there is no place for it in memory.
    """
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    _remove_orphans()
    try:
        made = tempfile.mkdtemp(prefix=_HIDDEN_PREFIX, dir=_MEMORY)
    except OSError:
        return None
    fd = -1
    try:
        fd = os.open(f"{made}/{_OWNER}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory = f"{_MEMORY}/{os.path.basename(made)[1:]}"
        os.rename(made, directory)  # now that it is locked: others may find it
    except OSError:
        if fd >= 0:
            os.close(fd)
        remove_directory(made)
        return None
    return Spool(directory, fd)


def remove_if_orphaned(directory: str, patience_s: float = 0.0) -> None:
    """Remove a driver's directory if the driver is dead.

    Args:
        directory: it; an empty path stands for none.
        patience_s: how long a driver that is just ending has for it, in seconds.
    """
    if not directory:
        return
    try:
        fd = os.open(f"{directory}/{_OWNER}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it is gone, or none of ours
    try:
        deadline_s = time.monotonic() + patience_s
        while not _is_dead(fd):
            if time.monotonic() >= deadline_s:
                return
            time.sleep(_LOOK_S)
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
    try:
        with os.scandir(_MEMORY) as entries:
            ours = [e for e in entries if e.name.startswith((_PREFIX, _HIDDEN_PREFIX)) and _is_ours(e)]
    except OSError:
        return
    for entry in ours:
        if entry.name.startswith(_PREFIX):
            remove_if_orphaned(entry.path)
        if _is_unlocked_for_long(entry.path):
            remove_directory(entry.path)


def _is_unlocked_for_long(directory: str) -> bool:
    """Whether it was left by a driver that was killed while it made it, or that removed it."""
    try:
        age_s = time.time() - os.stat(directory, follow_symlinks=False).st_mtime
        names = os.listdir(directory)
    except OSError:
        return False
    name = os.path.basename(directory)
    if age_s < _UNLOCKED_PATIENCE_S or not _DIRECTORY_NAME.fullmatch(name):
        return False
    is_unlocked = name.startswith(_HIDDEN_PREFIX) or _OWNER not in names
    return is_unlocked and all(map(_FILE_NAME.fullmatch, names))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:
        return False


def remove_directory(directory: str) -> None:
    """Remove a directory of the driver's and what is left in it; an empty path stands for none."""
    for _ in range(_MAX_REMOVALS):
        if not (directory and os.path.lexists(directory)):
            return
        shutil.rmtree(directory, ignore_errors=True)


def task_file(directory: str, task_id: int) -> str:
    """Where the arguments of a task are."""
    return f"{directory}/t{task_id}"


def result_file(directory: str, task_id: int) -> str:
    """Where the result of a task is."""
    return f"{directory}/r{task_id}"


def write(path: str, pieces: Sequence[Any]) -> bool:
    """Write the pieces one behind the other, for the user's eyes only.

    Returns: False when there is no room; nothing is left then.
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
    """Map a file and remove its name.

    Returns: its pieces, which may be written to and keep the memory as long as they live.
    Raises: OSError when the file is gone.
    """
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
    """Remove a file that nobody will read, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        pass
