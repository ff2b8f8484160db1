"""Blocks that wait to be submitted: which is next, and when a scheduler that takes none is given up."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: After a submission that failed the next one waits so long, after each further one twice as long; in
#: seconds.
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 30.0

#: When submissions have failed for so long, in seconds, the blocks that wait are given up.
PATIENCE_S = 120.0


class SubmissionQueue:
    """Block ids in the order in which they are submitted, and the pause after a failure.

    A failure that may pass holds for all: a scheduler that does not take one job would not take the next
    one either, and is not asked a hundred times at once. Not thread-safe; times are seconds on any one
    monotonic clock.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._failing_since_s: float | None = None
        self._delay_s = FIRST_DELAY_S
        self._not_before_s = float("-inf")

    def __repr__(self) -> str:
        state = "" if self._failing_since_s is None else ", failing"
        return f"<SubmissionQueue {len(self._waiting)} waiting{state}>"

    def __contains__(self, block_id: str) -> bool:
        return block_id in self._waiting

    def add(self, block_ids: Iterable[str]) -> None:
        """Have blocks wait."""
        self._waiting.extend(block_ids)

    def take(self, now_s: float) -> str | None:
        """Remove the block to be submitted next; None if there is none, or it is too early."""
        if not self._waiting or now_s < self._not_before_s:
            return None
        return self._waiting.popleft()

    def due_in_s(self, now_s: float) -> float | None:
        """In how many seconds there is a block to submit; None if none waits."""
        return max(0.0, self._not_before_s - now_s) if self._waiting else None

    def drop(self, block_id: str) -> bool:
        """Forget a block. Returns whether it waited."""
        if block_id not in self._waiting:
            return False
        self._waiting.remove(block_id)
        return True

    def clear(self) -> list[str]:
        """Forget all blocks, and return them."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def succeeded(self) -> None:
        """Note that a block was submitted."""
        self._failing_since_s = None
        self._delay_s = FIRST_DELAY_S
        self._not_before_s = float("-inf")

    def failed(self, block_id: str, now_s: float) -> list[str]:
        """Note that a block could not be submitted, and may be some other time: it waits again.

        Returns:
            The blocks that are given up, if it has gone on for too long: this one and all others.
        """
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._not_before_s = now_s + self._delay_s
        self._delay_s = min(MAX_DELAY_S, 2 * self._delay_s)
        self._waiting.appendleft(block_id)
        return self.clear() if now_s - self._failing_since_s >= PATIENCE_S else []
