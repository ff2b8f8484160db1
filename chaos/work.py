"""The tasks of a soak. Workers import this: it imports next to nothing."""

from __future__ import annotations

import os
import time


def note(journal: str, number: int) -> None:
    """Write down that a task has begun: one record of eight bytes, in one piece."""
    fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, number.to_bytes(8, "little"))
    finally:
        os.close(fd)


def begun(journal: str) -> dict[int, int]:
    """How often each task has begun."""
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
    """Take some time, and the processor with it."""
    note(journal, number)
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return number


def carry(journal: str, number: int, load: bytes) -> bytes:
    """Take a large argument, and give it back."""
    note(journal, number)
    return load


def complain(journal: str, number: int) -> int:
    """Fail, as tasks do."""
    note(journal, number)
    raise ValueError(f"task {number} was to fail")


def command(journal: str, number: int) -> str:
    """A command line, for a bash app; runs in the worker."""
    note(journal, number)
    return "sleep 0.01 & true; wait"
