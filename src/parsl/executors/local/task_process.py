"""The process that a thread runs for its task, so that another thread can end it."""

from __future__ import annotations

import os
import time
from threading import Lock, get_ident

from parsl.common.processes import TERM_GRACE_S, is_alive, terminate_tree, wait_for_child, wait_readable
from parsl.common.system import MAX_RSS_UNIT_BYTES, open_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage

_POLL_PERIOD_S = 0.01


class ProcessUsage:
    """What a process that has ended has used, with those of its descendants that were waited for.

    Args:
        usage: As returned by `os.wait4`.
    """

    __slots__ = ("cpu_s", "peak_memory")

    def __init__(self, usage: struct_rusage) -> None:
        #: Processor time, user and system, in seconds.
        self.cpu_s = usage.ru_utime + usage.ru_stime
        #: The largest resident set of one of the processes, in bytes.
        self.peak_memory = usage.ru_maxrss * MAX_RSS_UNIT_BYTES


class TaskEnded(Exception):
    """The task was ended before its process was started."""


class TaskProcess:
    """The process of one thread's task. The thread owns it; any other thread may call :meth:`end`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = 0
        self._is_starting = False
        self._is_ended = False
        #: What the last process has used; None before one has ended, and once the user of it has reset it.
        self.usage: ProcessUsage | None = None

    def __repr__(self) -> str:
        return f"<TaskProcess pid={self._pid or None} ended={self._is_ended}>"

    def starting(self) -> None:
        """Announce the process, which :meth:`end` ends; raises TaskEnded if none may be started."""
        with self._lock:
            if self._is_ended:
                raise TaskEnded
            self._is_starting = True

    def started(self, pid: int) -> None:
        """Set the process id; 0 if the process could not be started."""
        with self._lock:
            self._is_starting = False
            self._pid = pid
            if self._is_ended and pid:
                terminate_tree(pid)

    def wait(self, limit_s: float | None = None) -> int | None:
        """Wait for the end of the process; return its wait status, or None after ``limit_s`` seconds.

        Raises ChildProcessError if other code has waited for the process.
        """
        if limit_s is not None and not _wait_for_end(self._pid, limit_s):
            return None
        # The process id becomes free under the lock, so that no other thread is ending what now has the id.
        wait_for_child(self._pid)
        with self._lock:
            pid, self._pid = self._pid, 0
            return self._reap(pid)

    def terminate(self) -> None:
        """End the process with all its descendants, and wait for it. Only for the thread that owns it."""
        with self._lock:
            pid, self._pid = self._pid, 0
            if pid:
                terminate_tree(pid)
                self._reap(pid)

    def _reap(self, pid: int) -> int:
        _, status, usage = os.wait4(pid, 0)
        self.usage = ProcessUsage(usage)
        return status

    def end(self, grace_s: float = TERM_GRACE_S) -> bool:
        """End the process with all its descendants, and prevent others. For other threads.

        Returns whether there is a process; if not, the task is in Python code.
        """
        with self._lock:
            self._is_ended = True
            if self._pid:
                terminate_tree(self._pid, grace_s)
            return bool(self._pid) or self._is_starting


#: The processes of threads whose tasks other threads may end, by thread identifier.
by_thread: dict[int, TaskProcess] = {}


def current() -> TaskProcess:
    """Return the calling thread's process, or a new one outside a pool."""
    return by_thread.get(get_ident()) or TaskProcess()


def _wait_for_end(pid: int, limit_s: float) -> bool:
    try:
        handle = open_process(pid)
    except OSError:  # not Linux, or out of descriptors
        return _poll_for_end(pid, limit_s)
    try:
        return wait_readable(handle, limit_s)
    finally:
        os.close(handle)


def _poll_for_end(pid: int, limit_s: float) -> bool:
    """Wait for the end of a process where the system has no process descriptors."""
    deadline = time.monotonic() + limit_s
    while is_alive(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_PERIOD_S)
    return True
