"""Memory, descriptors and processes of a run over time, and whether they grow."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field

import psutil

#: The allowed growth between the first and the last third of a run.
MEMORY_MARGIN = 32 * 2**20
DESCRIPTOR_MARGIN = 8
PROCESS_MARGIN = 4


@dataclass(frozen=True)
class Sample:
    """The driver and its descendants at one moment; memory in bytes."""

    memory: int
    descriptors: int
    processes: int


def sample() -> Sample:
    """Measure this process and its descendants."""
    gc.collect()
    own = psutil.Process()
    return Sample(own.memory_info().rss, len(os.listdir("/proc/self/fd")), len(own.children(recursive=True)))


@dataclass
class Footprint:
    """All samples of a run, the oldest first."""

    samples: list[Sample] = field(default_factory=list)

    def take(self) -> None:
        """Add a sample."""
        self.samples.append(sample())

    def growth(self) -> list[str]:
        """Return what has grown from the first third to the last; empty if nothing has.

        The maxima of both thirds are compared: a peak in both of them is no growth.
        """
        third = len(self.samples) // 3
        if not third:
            return ["there are too few samples to detect growth"]
        early, late = self.samples[:third], self.samples[-third:]
        return [
            f"{name} has grown from {before:,} to {after:,}"
            for name, margin in (
                ("memory", MEMORY_MARGIN),
                ("descriptors", DESCRIPTOR_MARGIN),
                ("processes", PROCESS_MARGIN),
            )
            if (after := max(getattr(each, name) for each in late))
            > (before := max(getattr(each, name) for each in early)) + margin
        ]
