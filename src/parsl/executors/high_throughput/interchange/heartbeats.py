"""When which manager is sent a sign of life: now and then, and when its connection is said to be closed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

#: A connection is tried when it is said to be closed, and so many seconds later: news may be too early.
DOUBT_S = 0.25
#: So many managers get their sign of life before tasks and results have their turn again.
AT_ONCE = 64


class HeartbeatSchedule:
    """Owned by the interchange's loop. No clock in here: all times are the caller's.

    Args:
        period_s: time between two signs to a manager, in seconds.
        now_s: the time.
    """

    def __init__(self, period_s: float, now_s: float) -> None:
        self._period_s = period_s
        self._next_s = now_s + period_s
        #: Managers whose turn it is.
        self._waiting: deque[bytes] = deque()
        #: Managers whose connection was said to be closed, and when to try it once more.
        self._doubted: deque[tuple[float, bytes]] = deque()

    def __repr__(self) -> str:
        return f"<HeartbeatSchedule waiting={len(self._waiting)} doubted={len(self._doubted)}>"

    @property
    def due_s(self) -> float:
        """When the next ones must be sent; in the past if at once."""
        if self._waiting:
            return float("-inf")
        return min(self._next_s, self._doubted[0][0]) if self._doubted else self._next_s

    def doubt(self, names: Iterable[bytes], now_s: float) -> None:
        """The connections of these managers are said to be closed."""
        for name in names:
            self._waiting.appendleft(name)
            self._doubted.append((now_s + DOUBT_S, name))

    def take(self, managers: Iterable[bytes], now_s: float) -> list[bytes]:
        """Whom to send one now, a few at a time.

        Args:
            managers: all that there are.
            now_s: the time.
        """
        if now_s >= self._next_s:
            self._next_s = now_s + self._period_s
            self._waiting.extend(managers)
        while self._doubted and now_s >= self._doubted[0][0]:
            self._waiting.appendleft(self._doubted.popleft()[1])
        return [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
