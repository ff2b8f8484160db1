"""The tasks of the soak test. Workers import this module, so it imports little."""

from __future__ import annotations

import os
import time


def note(journal: str, number: int) -> None:
    """Record that a task has begun, in a single write of eight bytes."""
    fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, number.to_bytes(8, "little"))
    finally:
        os.close(fd)


def begun(journal: str) -> dict[int, int]:
    """Return how often each task has begun."""
    counts: dict[int, int] = {}
    with open(journal, "rb") as file:
        while record := file.read(8):
            number = int.from_bytes(record, "little")
            counts[number] = counts.get(number, 0) + 1
    return counts


def rest(journal: str, number: int, seconds: float) -> int:
    """Take some time."""
    note(journal, number)
    time.sleep(seconds)
    return number


def reckon(journal: str, number: int, seconds: float) -> int:
    """Keep a core busy for some time."""
    note(journal, number)
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return number


def carry(journal: str, number: int, load: bytes) -> bytes:
    """Return a large argument."""
    note(journal, number)
    return load


def complain(journal: str, number: int) -> int:
    """Fail."""
    note(journal, number)
    raise ValueError(f"task {number} was to fail")


def command(journal: str, number: int) -> str:
    """Return the command line of a bash app; this function runs in the worker."""
    note(journal, number)
    return "sleep 0.01 & true; wait"
