"""What the system shows about one process: its command line, its children, its memory."""

from __future__ import annotations

import os

from parsl.common.system import IS_PORTABLE, NotImplementedOnThisSystem

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def command_line_of(pid: int) -> bytes:
    """Return the arguments of a process, separated by zeros.

    Raises:
        OSError: The process has ended, or this one may not inspect it.
    """
    if not IS_PORTABLE:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    import psutil

    try:
        return b"\0".join(map(os.fsencode, psutil.Process(pid).cmdline()))
    except psutil.Error as error:
        raise ProcessLookupError(str(error)) from error


def children_of(pid: int) -> set[int]:
    """Return the children of all threads of a process, including zombies.

    Raises:
        OSError: They are unknown.
    """
    if IS_PORTABLE:
        raise NotImplementedOnThisSystem("quick lists of children")
    found: set[int] = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found.update(map(int, file.read().split()))
    return found


def resident_bytes(pid: int) -> int:
    """Return the resident set of a process, in bytes; 0 if it has ended."""
    if IS_PORTABLE:
        return _resident_bytes_elsewhere(pid)
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def own_resident_bytes() -> int:
    """Return the resident set of this process, in bytes; 0 if the system does not show it quickly."""
    return 0 if IS_PORTABLE else resident_bytes(os.getpid())


def _resident_bytes_elsewhere(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def proportional_bytes(pid: int) -> int:
    """Return a process's share of the memory that it uses, in bytes; else its resident set."""
    if IS_PORTABLE:
        return resident_bytes(pid)
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return resident_bytes(pid)
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")]
    return sizes[0] if sizes and sizes[0] else resident_bytes(pid)


def path_of_descriptor(fd: int) -> str:
    """Return the path of an open file.

    Raises:
        OSError: It has none, or the system does not show it.
    """
    if IS_PORTABLE:
        raise NotImplementedOnThisSystem("paths of descriptors")
    return os.readlink(f"/proc/self/fd/{fd}")
