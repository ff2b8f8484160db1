"""When the interchange sends which manager a heartbeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from parsl.executors.high_throughput.interchange.manager import Manager

#: A connection that is reported to be closed is probed at once, and again after this time (seconds): the
#: report may come too early.
PROBE_AGAIN_S = 0.25
#: How many managers get a heartbeat before tasks and results have their turn again.
AT_ONCE = 64


class HeartbeatSchedule:
    """Owned by the interchange's loop. No clock in here: all times are the caller's."""

    def __init__(self, period_s: float, now_s: float) -> None:
        self._period_s = period_s
        self._next_s = now_s + period_s
        #: Managers whose turn it is.
        self._waiting: deque[Manager] = deque()
        #: Managers to probe once more, and when.
        self._probed: deque[tuple[float, Manager]] = deque()

    def __repr__(self) -> str:
        return f"<HeartbeatSchedule waiting={len(self._waiting)} probed={len(self._probed)}>"

    @property
    def due_s(self) -> float:
        """When the next heartbeats must be sent; in the past for at once."""
        if self._waiting:
            return float("-inf")
        return min(self._next_s, self._probed[0][0]) if self._probed else self._next_s

    def probe(self, manager: Manager, now_s: float) -> None:
        """Send a heartbeat at once and again a little later: the connection is reported to be closed."""
        self._waiting.appendleft(manager)
        self._probed.append((now_s + PROBE_AGAIN_S, manager))

    def take(self, managers: Iterable[Manager], now_s: float) -> list[Manager]:
        """Return a few of these managers, whose turn to get a heartbeat it is."""
        if now_s >= self._next_s:
            self._next_s = now_s + self._period_s
            self._waiting.extend(managers)
        while self._probed and now_s >= self._probed[0][0]:
            self._waiting.appendleft(self._probed.popleft()[1])
        turn = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        return [manager for manager in turn if not manager.is_gone]
