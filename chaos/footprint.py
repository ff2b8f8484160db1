"""What a run takes of the machine, over time, and whether that grows."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field

import psutil

#: What a figure may grow by between the first and the last third of a run, beyond its spread.
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
    """Look at this process and its descendants."""
    gc.collect()
    own = psutil.Process()
    return Sample(own.memory_info().rss, len(os.listdir("/proc/self/fd")), len(own.children(recursive=True)))


@dataclass
class Footprint:
    """All samples of a run, the oldest first."""

    samples: list[Sample] = field(default_factory=list)

    def take(self) -> None:
        """Add a sample of now."""
        self.samples.append(sample())

    def growth(self) -> list[str]:
        """What has grown from the first third to the last; empty when all is flat.

        The largest of each third is compared: what comes and goes is no growth.
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
