"""Waiting for threads, batches of a thread's work, and forked children of the driver, which have no threads.

In a batch, work that costs the same for one outcome as for many is done once. Forked children give up the
objects of their parent, and close its sockets, so that peers notice its end.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from logging import getLogger

logger = getLogger(__name__)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Owner(Protocol):
        """An object that only the process that made it may use."""

        def disown(self) -> None:
            """Give up the object in a forked child, where threads that no longer exist may hold its locks."""


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def join(thread: threading.Thread | None, timeout_s: float | None = None) -> bool:
    """Wait for a thread; return whether it has ended. There may be none.

    The thread itself may call this, and an interrupt may have prevented the thread's start: both do not wait.
    """
    if thread is None:
        return True
    if thread.is_alive() and thread is not threading.current_thread():
        thread.join(timeout_s)
    return not thread.is_alive()


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


def disown_in_children(owner: Owner) -> None:
    """Call ``owner.disown()`` in every child that is forked from now on."""
    _owners.add(owner)


def not_here(what: str) -> str:
    """Return why an object cannot be used in this process; ``what``, its description, begins the sentence."""
    return (
        f"{what} belongs to the process that process {os.getpid()} was forked from, and cannot be used here. "
        "Call apps, and wait for their futures, in the process that has loaded the configuration; or call "
        "parsl.load here, for a run of this process's own"
    )


def _disown_all() -> None:
    owners = list(_owners)
    _owners.clear()
    for owner in owners:
        owner.disown()


os.register_at_fork(after_in_child=_disown_all)
