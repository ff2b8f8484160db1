"""Moments as the database stores them: text in local time, with microseconds."""

from __future__ import annotations

from time import localtime, strftime

_MICROSECONDS = 1_000_000
_DIGITS = 6
_MAX_CACHED = 4096


class MomentText:
    """Writes moments as ``2026-11-29 05:44:25.558954``. Remembers the text of each second, which is slow."""

    def __init__(self) -> None:
        #: By the digits of the second.
        self._seconds: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._seconds)} seconds>"

    def __call__(self, microseconds: int) -> str:
        """Return the text of a moment, given in microseconds since the epoch."""
        digits = str(microseconds)
        text = self._seconds.get(digits[:-_DIGITS])
        return self._text_of(microseconds) if text is None else text + digits[-_DIGITS:]

    def _text_of(self, microseconds: int) -> str:
        second, micro = divmod(microseconds, _MICROSECONDS)
        text = strftime("%Y-%m-%d %H:%M:%S.", localtime(second))
        if second > 0:
            if len(self._seconds) >= _MAX_CACHED:
                self._seconds.clear()
            self._seconds[str(second)] = text
        return f"{text}{micro:0{_DIGITS}d}"


def microseconds(moment_s: float) -> int:
    """Return a moment in whole microseconds since the epoch."""
    return int(moment_s * _MICROSECONDS + 0.5)  # much faster than round()
