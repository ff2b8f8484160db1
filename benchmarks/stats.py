"""The little statistics that the suite needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Summary(NamedTuple):
    """The middle of some samples, and how far they reach."""

    median: float
    low: float
    high: float


def median(samples: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("no samples: the median of nothing is not defined")
    ordered = sorted(samples)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` % of the samples do not exceed.

    Raises:
        ValueError: there are no samples, or `percent` is not within 0 to 100.
    """
    if not samples:
        raise ValueError("no samples: the percentile of nothing is not defined")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent}; it must be within 0 to 100")
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def summarize(samples: Sequence[float]) -> Summary:
    """Median, smallest and largest."""
    return Summary(median(samples), min(samples), max(samples))


def paired_ratios(samples: Mapping[int, float], others: Mapping[int, float]) -> list[float]:
    """Ratio of each sample to the other system's sample of the same round.

    Rounds that only one of the two took part in are left out.
    """
    rounds = [number for number in samples if others.get(number)]
    return [samples[number] / others[number] for number in rounds]
