"""Which functions are short: an engine's own work for a call of them takes longer than the call."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from types import CodeType
from typing import Any

#: A call is short if it takes no longer than this (seconds). On a busy machine a short one may take up to the
#: second limit.
_SHORT_S = 0.001
_INTERRUPTED_S = 0.01
#: It is small if it and its outcome have no more bytes together.
_SMALL_BYTES = 64 * 1024
#: A function counts as short after this many short calls, nearly in a row.
_SHORT_CALLS = 100
#: How many functions are remembered.
_MAX_FUNCTIONS = 1000


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return what stands for a function in :class:`ShortFunctions`: its code.

    None if it has none, or if other functions may have the same, as all that one decorator has wrapped.
    """
    has_own_code = getattr(function, "__closure__", None) is None
    return getattr(function, "__code__", None) if has_own_code else None


class ShortFunctions:
    """Remembers how long calls of functions took. Any thread may use it."""

    def __init__(self) -> None:
        #: How many calls of a function were short lately.
        self._short_calls: dict[CodeType, int] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        number = sum(calls >= _SHORT_CALLS for calls in list(self._short_calls.values()))
        return f"<{type(self).__name__} {number} of {len(self._short_calls)}>"

    def cover(self, code: CodeType | None, size: int) -> bool:
        """Return whether a call is expected to be short, given its function's code and its bytes."""
        return code is not None and size <= _SMALL_BYTES and self._short_calls.get(code, 0) >= _SHORT_CALLS

    def ran(self, code: CodeType | None, run_s: float, size: int) -> None:
        """Note how long a call has taken, and how many bytes the call and its outcome had.

        To be called in threads of engines, not in signal handlers.
        """
        if code is None:
            return
        with self._lock:
            known = self._short_calls
            if len(known) >= _MAX_FUNCTIONS and code not in known:
                known.clear()
            number = known.get(code, 0)
            if run_s > _INTERRUPTED_S or size > _SMALL_BYTES:
                known[code] = 0
            elif run_s > _SHORT_S:
                known[code] = number // 2
            else:
                known[code] = min(number + 1, 2 * _SHORT_CALLS)
