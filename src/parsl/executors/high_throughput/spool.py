"""Large payloads between processes of one host: through files in memory, instead of through every socket.

The driver writes a task's arguments once, the worker maps them; results the other way round. Interchange and
manager pass on a record of a few bytes. The directory belongs to the user alone; the receiver removes each
file, and the driver, or else the interchange, the directory.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

#: A file system in memory, where there is one.
_MEMORY = "/dev/shm"
#: From this size on, in bytes, payloads go through the spool.
SPOOL_LIMIT = 48 * 1024


def make_spool() -> str:
    """Make a directory for payloads. Returns: its path; empty where there is no place for it in memory."""
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return ""
    try:
        return tempfile.mkdtemp(prefix="parsl-", dir=_MEMORY)
    except OSError:
        return ""


def remove_spool(directory: str) -> None:
    """Remove a directory of the driver's and what is left in it; an empty path stands for none."""
    if directory:
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
