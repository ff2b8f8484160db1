"""The child process that a thread runs for its task, so that another thread can end it."""

from __future__ import annotations

import os
import time
from threading import Lock, get_ident

from parsl.common.processes import TERM_GRACE_S, terminate_tree, wait_readable

_POLL_PERIOD_S = 0.01


class TaskEnded(Exception):
    """The task was ended from outside before its child process was started."""


class TaskChild:
    """The child process of one thread's task. The thread owns it; any other thread may call :meth:`end`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = 0
        self._is_starting = False
        self._is_ended = False

    def __repr__(self) -> str:
        return f"<TaskChild pid={self._pid or None} ended={self._is_ended}>"

    def starting(self) -> None:
        """Announce the child; from here on :meth:`end` takes care of it.

        Raises:
            TaskEnded: The task was ended; no child may be started.
        """
        with self._lock:
            if self._is_ended:
                raise TaskEnded
            self._is_starting = True

    def started(self, pid: int) -> None:
        """Name the child's process id; 0 if it could not be started."""
        with self._lock:
            self._is_starting = False
            self._pid = pid
            if self._is_ended and pid:
                terminate_tree(pid)

    def wait(self, limit_s: float | None = None) -> int | None:
        """Wait for the child to end.

        Args:
            limit_s: How long to wait, in seconds; None without limit.

        Returns:
            Its wait status, or None if it has not ended in that time.

        Raises:
            ChildProcessError: Somebody else has waited for it.
        """
        if limit_s is not None and not _wait_for_end(self._pid, limit_s):
            return None
        # Its id is given back under the lock: nobody is ending what has the id at that moment.
        os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            pid, self._pid = self._pid, 0
            return os.waitpid(pid, 0)[1]

    def terminate(self) -> None:
        """End the child with all that it has started, and wait for it. For the thread that owns it."""
        with self._lock:
            pid, self._pid = self._pid, 0
            if pid:
                terminate_tree(pid)
                os.waitpid(pid, 0)

    def end(self, grace_s: float = TERM_GRACE_S) -> bool:
        """End the child with all that it has started, and let no other be started. For other threads.

        Args:
            grace_s: How long the processes have after SIGTERM, in seconds.

        Returns:
            Whether there is a child: if not, the task is in Python code.
        """
        with self._lock:
            self._is_ended = True
            if self._pid:
                terminate_tree(self._pid, grace_s)
            return bool(self._pid) or self._is_starting


#: The children of threads whose tasks can be ended from outside, by thread identifier.
by_thread: dict[int, TaskChild] = {}


def current() -> TaskChild:
    """Return the calling thread's child, or one that nobody else knows."""
    return by_thread.get(get_ident()) or TaskChild()


def _wait_for_end(pid: int, limit_s: float) -> bool:
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return _poll_for_end(pid, limit_s)
        try:
            return wait_readable(handle, limit_s)
        finally:
            os.close(handle)
    return _poll_for_end(pid, limit_s)


def _poll_for_end(pid: int, limit_s: float) -> bool:
    """Where there are no process descriptors, looking again and again is what is left."""
    deadline = time.monotonic() + limit_s
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_PERIOD_S)
    return True
