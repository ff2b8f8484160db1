"""How many machine-hours have been used, and may be used: a plain ledger."""

from __future__ import annotations

from collections.abc import Iterable

_HOUR_S = 3600.0


class MachineHours:
    """Counts the hours of machines, and reserves those that machines may still use. Not thread-safe.

    A machine may run until its walltime, so the hours up to there are reserved when it is requested. Thus the
    sum never exceeds the limit, even if the driver dies. Times are seconds on any one monotonic clock.

    Args:
        limit_h: The maximum number of hours; None for no limit.
        used_h: The hours that earlier runs have used.
    """

    def __init__(self, limit_h: float | None, used_h: float = 0.0) -> None:
        self.limit_h = limit_h
        self._used_h = used_h
        #: When each running machine was created, and its walltime (seconds).
        self._running: dict[str, tuple[float, float]] = {}

    def __repr__(self) -> str:
        return f"<MachineHours used={self._used_h:.2f} running={len(self._running)} limit={self.limit_h}>"

    @property
    def running(self) -> int:
        return len(self._running)

    def requested(self, names: Iterable[str], now_s: float, walltime_s: float) -> None:
        """Reserve hours for machines, before they are created: the answer to that request may be lost."""
        for name in names:
            self._running[name] = (now_s, walltime_s)

    def ended(self, names: Iterable[str], now_s: float) -> None:
        """Record the end of machines, as soon as it is known; has no effect on those that had ended."""
        for name in names:
            created_s, walltime_s = self._running.pop(name, (now_s, 0.0))
            self._used_h += min(now_s - created_s, walltime_s) / _HOUR_S

    def all_ended(self, now_s: float) -> None:
        """Record the end of all machines."""
        self.ended(list(self._running), now_s)

    def used_h(self, now_s: float) -> float:
        """Return the hours that were used up to now."""
        running = self._running.values()
        return self._used_h + sum(min(now_s - start_s, limit_s) for start_s, limit_s in running) / _HOUR_S

    def reserved_h(self) -> float:
        """Return the hours that were used, or may be used by the machines that run."""
        return self._used_h + sum(walltime_s for _, walltime_s in self._running.values()) / _HOUR_S

    def refusal(self, machines: int, walltime_s: float) -> str | None:
        """Return why no more machines may be created; None if they may."""
        needed_h = machines * walltime_s / _HOUR_S
        if self.limit_h is None or self.reserved_h() + needed_h <= self.limit_h:
            return None
        return (
            f"max_machine_hours is {self.limit_h:g}: {self._used_h:.2f} hours are used, "
            f"{self.reserved_h() - self._used_h:.2f} are reserved by {self.running} running machines up to "
            f"their walltime, and another block needs {needed_h:.2f}"
        )
