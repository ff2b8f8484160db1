"""Batches of outcomes: work that costs the same for one outcome as for many is done once per batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from logging import getLogger

logger = getLogger(__name__)


class _Batch(threading.local):
    """The functions to call at the end of this thread's batch; None outside of a batch."""

    ends: dict[Callable[[], object], None] | None = None


_batch = _Batch()


def together(work: Callable[..., object], *args: object) -> None:
    """Call ``work(*args)``, then the deferred functions. An inner batch ends together with the outer one."""
    if _batch.ends is not None:
        work(*args)
        return
    ends = _batch.ends = {}
    try:
        work(*args)
    finally:
        _batch.ends = None
        for end in ends:
            try:
                end()
            except Exception:
                logger.exception("A function that was deferred to the end of a batch failed: %r", end)


def at_end(function: Callable[[], object]) -> bool:
    """Call a function once, at the end of this thread's batch. Returns False outside of a batch."""
    if _batch.ends is None:
        return False
    _batch.ends[function] = None
    return True
