"""A module next to the script: workers import it, as the script does."""

from __future__ import annotations

FACTOR = 7


def times(n: int) -> int:
    return FACTOR * n


class Counter:
    def __init__(self, start: int) -> None:
        self.count = start

    def add(self, n: int) -> int:
        self.count += n
        return self.count
