"""Waiting for a condition, in tests and in the programs that tests start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_STEP_S = 0.005


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
