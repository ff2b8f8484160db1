"""How many blocks have been needed lately.

Demand jumps about: tasks come in waves, and looking now and then sees some troughs. Blocks are given back
by the highest demand of a whole idle time, so that no trough costs a block that the next wave needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """The highest number of blocks needed within a window that ends now.

    Args:
        since_s: When observation began, in seconds on the caller's clock; None before the first look.
        peaks: (when last seen in seconds, blocks needed), latest last, each higher than those after it.
    """

    since_s: float | None = None
    peaks: tuple[tuple[float, int], ...] = ()

    @property
    def highest(self) -> int:
        """The most blocks needed at once within the window."""
        return self.peaks[0][1] if self.peaks else 0

    def observe(self, needed: int, now_s: float, window_s: float) -> Demand:
        """Take note of how many blocks are needed now, and forget what is older than the window."""
        oldest_s = now_s - window_s
        kept = tuple(peak for peak in self.peaks if peak[1] > needed and peak[0] > oldest_s)
        return Demand(now_s if self.since_s is None else self.since_s, (*kept, (now_s, needed)))

    def is_known_for(self, window_s: float, now_s: float) -> bool:
        """Whether it has been observed for at least so long, in seconds."""
        return self.since_s is not None and now_s - self.since_s >= window_s
