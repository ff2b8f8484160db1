"""Waiting for threads, and forked children of the driver, which do not have the threads of their parent.

Such children give up the objects of their parent, and close its sockets, so that peers notice its end.
"""

from __future__ import annotations

import os
import threading
import weakref

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
