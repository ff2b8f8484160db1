"""When to ask a scheduler about jobs: seldom while nothing happens, at once when something may have."""

from __future__ import annotations

from collections import deque

#: After a submission it is asked after the first of these many seconds, then after the next, and so on, up
#: to the regular interval: a job that fails at once is noticed soon.
AFTER_SUBMISSION_S = (2.0, 10.0, 20.0)

#: After a sign that a job may have ended it is asked at once, and then after these many seconds: schedulers
#: take a while to note the end of a job.
AFTER_SIGN_S = (1.0, 2.0, 4.0, 8.0)

#: Signs that go on and on make it ask at most this often, in seconds: first, and in the end.
FIRST_SIGN_GAP_S = 1.0
MAX_SIGN_GAP_S = 10.0

_NEVER = float("inf")


class AskingTimes:
    """Says when a scheduler is to be asked. Not thread-safe; times are seconds on any one monotonic clock."""

    def __init__(self) -> None:
        self._next_s = _NEVER
        self._gaps_s: deque[float] = deque()
        self._is_reported = False
        self._has_sign = False
        self._sign_gap_s = FIRST_SIGN_GAP_S
        self._next_sign_s = -_NEVER

    def __repr__(self) -> str:
        return f"<AskingTimes next={self._next_s}{', sign' if self._has_sign else ''}>"

    def submitted(self, now_s: float) -> None:
        """Note that there is a new job."""
        first, *others = AFTER_SUBMISSION_S
        self._next_s = min(self._next_s, now_s + first)
        self._gaps_s = deque(others)

    def reported(self) -> None:
        """Note that a job is known to have ended: it is asked how, at once."""
        self._is_reported = True

    def signed(self) -> None:
        """Note a sign that something may have become of a job."""
        self._has_sign = True

    def take_due(self, now_s: float, interval_s: float) -> bool:
        """Whether to ask now; if so, this reckons that it is done.

        Args:
            now_s: The time.
            interval_s: How often to ask when there is no news.
        """
        has_sign = self._has_sign and now_s >= self._next_sign_s
        if not (self._is_reported or has_sign or now_s >= self._next_s):
            return False
        if self._has_sign:
            self._note_sign(now_s)
        self._is_reported = self._has_sign = False
        gap_s = self._gaps_s.popleft() if self._gaps_s else interval_s
        self._next_s = now_s + min(gap_s, interval_s)
        return True

    def _note_sign(self, now_s: float) -> None:
        is_lasting = now_s < self._next_sign_s + MAX_SIGN_GAP_S
        gap_s = min(MAX_SIGN_GAP_S, 2 * self._sign_gap_s) if is_lasting else FIRST_SIGN_GAP_S
        self._sign_gap_s = gap_s
        self._next_sign_s = now_s + gap_s
        self._gaps_s = deque([later_s for later_s in AFTER_SIGN_S if later_s >= gap_s] or [gap_s])

    def due_in_s(self, now_s: float) -> float:
        """In how many seconds to ask, if nothing happens."""
        if self._is_reported:
            return 0.0
        next_s = min(self._next_s, self._next_sign_s) if self._has_sign else self._next_s
        return max(0.0, next_s - now_s)
