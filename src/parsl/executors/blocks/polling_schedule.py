"""When to query a scheduler about jobs: rarely without news, immediately after an event."""

from __future__ import annotations

from collections import deque

#: Delays of the first queries after a submission, in seconds; each is at most the regular interval. A job
#: that fails at once is noticed soon.
AFTER_SUBMISSION_S = (2.0, 10.0, 20.0)

#: An event causes a query at once and, as schedulers take a while to record the end of a job, further ones
#: after these delays, in seconds.
AFTER_EVENT_S = (1.0, 2.0, 4.0, 8.0)

#: The minimum gap between queries that events cause, in seconds. It doubles from the first value to the
#: second while events go on.
FIRST_EVENT_GAP_S = 1.0
MAX_EVENT_GAP_S = 10.0

_NEVER = float("inf")


class PollingSchedule:
    """Decides when to query a scheduler. Not thread-safe; times are seconds on any one monotonic clock."""

    def __init__(self) -> None:
        self._next_s = _NEVER
        self._gaps_s: deque[float] = deque()
        self._has_known_end = False
        self._has_event = False
        self._event_gap_s = FIRST_EVENT_GAP_S
        self._next_event_s = -_NEVER

    def __repr__(self) -> str:
        return f"<PollingSchedule next={self._next_s}{', event' if self._has_event else ''}>"

    def job_submitted(self, now_s: float) -> None:
        first, *others = AFTER_SUBMISSION_S
        self._next_s = min(self._next_s, now_s + first)
        self._gaps_s = deque(others)

    def request_query(self, now_s: float, interval_s: float) -> None:
        """Schedule a query at the latest after the interval, even if there was never a job."""
        self._next_s = min(self._next_s, now_s + interval_s)

    def job_ended(self) -> None:
        """Schedule a query at once: a job is known to have ended."""
        self._has_known_end = True

    def event(self) -> None:
        """Schedule a query soon: a job may have changed its state."""
        self._has_event = True

    def take_due(self, now_s: float, interval_s: float) -> bool:
        """Return whether to query now; if so, schedule the next query.

        Without news the next query is due after ``interval_s``.
        """
        event_is_due = self._has_event and now_s >= self._next_event_s
        if not (self._has_known_end or event_is_due or now_s >= self._next_s):
            return False
        if self._has_event:
            self._plan_after_event(now_s)
        self._has_known_end = self._has_event = False
        gap_s = self._gaps_s.popleft() if self._gaps_s else interval_s
        self._next_s = now_s + min(gap_s, interval_s)
        return True

    def _plan_after_event(self, now_s: float) -> None:
        events_go_on = now_s < self._next_event_s + MAX_EVENT_GAP_S
        gap_s = min(MAX_EVENT_GAP_S, 2 * self._event_gap_s) if events_go_on else FIRST_EVENT_GAP_S
        self._event_gap_s = gap_s
        self._next_event_s = now_s + gap_s
        self._gaps_s = deque([later_s for later_s in AFTER_EVENT_S if later_s >= gap_s] or [gap_s])

    def due_in_s(self, now_s: float) -> float:
        if self._has_known_end:
            return 0.0
        next_s = min(self._next_s, self._next_event_s) if self._has_event else self._next_s
        return max(0.0, next_s - now_s)
