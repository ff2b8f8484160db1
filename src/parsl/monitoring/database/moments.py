"""Moments as the database stores them: text in local time, with microseconds."""

from __future__ import annotations

from time import localtime, strftime

_MICROSECONDS = 1_000_000
_MAX_CACHED = 4096


class MomentText:
    """Writes moments as ``2026-11-29 05:44:25.558954``. Remembers the text of each second, which is slow."""

    def __init__(self) -> None:
        self._seconds: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._seconds)} seconds>"

    def __call__(self, microseconds: int) -> str:
        """Return the text of a moment, given in microseconds since the epoch."""
        second, micro = divmod(microseconds, _MICROSECONDS)
        text = self._seconds.get(second)
        if text is None:
            if len(self._seconds) >= _MAX_CACHED:
                self._seconds.clear()
            text = self._seconds[second] = strftime("%Y-%m-%d %H:%M:%S.", localtime(second))
        return f"{text}{micro:06d}"


def microseconds(moment_s: float) -> int:
    """Return a moment in whole microseconds since the epoch."""
    return round(moment_s * _MICROSECONDS)
