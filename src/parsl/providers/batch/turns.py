"""Whose turn it is, where not all can be asked about at once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Turns:
    """Remembers when each job was last asked about, so that those who have waited longest come first.

    Nothing is asked by it. Rounds are what counts, not time: those that had their turn in the same round
    stay in the order in which they are given.
    """

    def __init__(self) -> None:
        self._round = 0
        self._had: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Turns round={self._round} jobs={len(self._had)}>"

    def begin_round(self, job_ids: Iterable[str]) -> None:
        """Begin a new round, and forget all jobs but these."""
        self._round += 1
        self._had = {job_id: self._had[job_id] for job_id in job_ids if job_id in self._had}

    def line_up(self, job_ids: Iterable[str]) -> list[str]:
        """Sort jobs: those that never had a turn come first, then those whose turn was longest ago."""
        return sorted(job_ids, key=lambda job_id: self._had.get(job_id, 0))

    def took(self, job_ids: Sequence[str]) -> None:
        """Note that these jobs have their turn now."""
        self._had.update(dict.fromkeys(job_ids, self._round))
