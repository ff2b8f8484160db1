"""Waiting for threads."""

from __future__ import annotations

import threading


def join(thread: threading.Thread | None, timeout_s: float | None = None) -> bool:
    """Wait for a thread; return whether it has ended. There may be none.

    The thread itself may call this, and an interrupt may have prevented the thread's start: both do not wait.
    """
    if thread is None:
        return True
    if thread.is_alive() and thread is not threading.current_thread():
        thread.join(timeout_s)
    return not thread.is_alive()
