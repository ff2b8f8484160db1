"""Paying once for what comes together.

Who brings the outcomes of many tasks at once does so inside :func:`together`. Who hears of them one by one,
and has something to do that costs as much for one as for all, does it :func:`at_end`.
"""

from __future__ import annotations

import threading
from logging import getLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

logger = getLogger(__name__)


class _Batch(threading.local):
    """What is to be done at the end of this thread's batch; None outside of one."""

    ends: dict[Callable[[], object], None] | None = None


_batch = _Batch()


def together(work: Callable[..., object], *args: Any) -> None:
    """Call ``work(*args)``, and then what it has put off. Inside another batch, that one's end counts."""
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
                logger.exception("what was put off to the end of a batch failed: %r", end)


def at_end(function: Callable[[], object]) -> bool:
    """Have a function called, once, at the end of this thread's batch. False: there is no batch."""
    ends = _batch.ends
    if ends is None:
        return False
    ends[function] = None
    return True
