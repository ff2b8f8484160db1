"""Intervals and moments, summed up in bins of equal length: what a chart of a million tasks shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parsl.dashboard.task_table import Floats, Ints


class Window(NamedTuple):
    """A period that is divided into bins. Moments are seconds since the epoch."""

    from_s: float
    to_s: float
    bins: int

    @property
    def bin_s(self) -> float:
        """The length of a bin (s)."""
        return (self.to_s - self.from_s) / self.bins

    def places(self, moments_s: Floats) -> Floats:
        """Return where moments are in the window, in bins from its beginning; not beyond its ends."""
        return np.clip((moments_s - self.from_s) / self.bin_s, 0.0, float(self.bins))

    def middles_s(self) -> list[float]:
        """Return the middle of each bin."""
        return [round(self.from_s + (number + 0.5) * self.bin_s, 3) for number in range(self.bins)]


def window_of(from_s: float, to_s: float, bins: int) -> Window:
    """Return a window of at least a millisecond."""
    return Window(from_s, max(to_s, from_s + 0.001), bins)


def counted(moments_s: Floats, window: Window) -> Ints:
    """Return how many moments are in each bin. Those outside the window, or unknown (NaN), do not count."""
    inside = moments_s[(moments_s >= window.from_s) & (moments_s <= window.to_s)]
    places = np.minimum(window.places(inside).astype(np.int64), window.bins - 1)
    return np.bincount(places, minlength=window.bins)


def mean_number(begins_s: Floats, ends_s: Floats, rows: Ints, row_count: int, window: Window) -> Floats:
    """Return how many intervals were open in each bin, on average, for each row.

    Args:
        begins_s: When each interval began; those with an unknown moment (NaN) do not count.
        ends_s: When it ended.
        rows: The row to which it belongs, from 0 on.
        row_count: How many rows there are.
        window: The bins.

    Returns:
        An array with a line for each row and a column for each bin.
    """
    is_inside = (begins_s < window.to_s) & (ends_s > window.from_s) & (ends_s >= begins_s)
    rows = rows[is_inside]
    total = np.zeros((row_count, window.bins + 1))
    for moments_s, sign in ((begins_s[is_inside], 1.0), (ends_s[is_inside], -1.0)):
        places = window.places(moments_s)
        whole = places.astype(np.int64)
        flat = rows * (window.bins + 1) + whole
        size = row_count * (window.bins + 1)
        steps = np.bincount(flat, minlength=size).reshape(total.shape)
        parts = np.bincount(flat, weights=places - whole, minlength=size).reshape(total.shape)
        total += sign * (np.cumsum(steps, axis=1) - parts)
    return np.maximum(total[:, : window.bins], 0.0)
