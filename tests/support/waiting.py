"""Waiting for a condition, in tests and in the programs that tests start."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_STEP_S = 0.005


def is_waiting(thread: threading.Thread) -> bool:
    """Return whether a thread of this process waits for a condition, an event or a future."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code is threading.Condition.wait.__code__


def wait_until(predicate: Callable[[], T], timeout_s: float = 60.0, what: str = "") -> T:
    """Call ``predicate`` until its result is true.

    Args:
        predicate: Called repeatedly.
        timeout_s: The deadline, in seconds from now.
        what: The expected event, for the error.

    Returns:
        The true result.

    Raises:
        AssertionError: The result is still false at the deadline.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (result := predicate()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"Waited {timeout_s} s in vain for {what or 'a condition'}.")
        time.sleep(_STEP_S)
    return result
