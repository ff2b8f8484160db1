"""The sockets that an engine's library has opened in this process, to wait for all of them at once.

The libraries offer one way to wait, a call that also waits for their tasks, and nothing ends it early. But a
process can wait for all of its sockets, including those that a library has opened: the manager process waits
for the library's and the driver's, and calls the library only when there is something to do.
Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import socket
from typing import Any

_DESCRIPTORS = "/proc/self/fd"


class SocketWatch:
    """Waits for the driver and for the library's sockets, which it finds by itself.

    Args:
        driver: The connection to the driver.
    """

    def __init__(self, driver: socket.socket) -> None:
        self._driver = driver.fileno()
        self._poll = select.epoll()
        self._poll.register(self._driver, select.EPOLLIN)
        self._listening: set[int] = set()

    def find(self) -> None:
        """Watch sockets that were opened since the last call. Closed ones leave by themselves."""
        for name in os.listdir(_DESCRIPTORS):
            try:
                if os.readlink(f"{_DESCRIPTORS}/{name}").startswith("socket:"):
                    self._poll.register(int(name), select.EPOLLIN)
                    if _is_listening(int(name)):
                        self._listening.add(int(name))
            except OSError:
                pass  # known already, or closed meanwhile

    def wait(self, limit_s: float) -> tuple[bool, bool]:
        """Wait until a socket is readable.

        Returns:
            Whether the driver has sent something, and whether a worker may have connected, so that
            :meth:`find` is due.
        """
        ready = {descriptor for descriptor, _ in self._poll.poll(limit_s)}
        return self._driver in ready, not ready or bool(ready & self._listening)


def _is_listening(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def make_wait_return(library: str, function: str, queue: Any) -> bool:
    """Let the library's wait function return as soon as nothing is left to do.

    Once ``function`` has been called, the wait returns early while a child process has ended and was not
    collected. The libraries' own batch modules use that. So one such child is started here, and left.

    Args:
        library: The path of the library's extension module.
        function: The name of the C function that switches this on.
        queue: The library's object, as SWIG represents it.

    Returns:
        Whether the library has the function.
    """
    try:
        switch_on = getattr(ctypes.PyDLL(library), function)
    except (OSError, AttributeError):
        return False
    switch_on.argtypes, switch_on.restype = [ctypes.c_void_p], None
    switch_on(int(getattr(queue, "this", queue)))
    child = os.posix_spawn("/bin/sh", ["sh", "-c", ":"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return True


def keep_one_log(library: str) -> None:
    """Prevent the library from starting another debug log, however long this one is.

    Args:
        library: The path of the library's extension module.
    """
    set_size = ctypes.PyDLL(library).cctools_debug_config_file_size
    set_size.argtypes, set_size.restype = [ctypes.c_size_t], None
    set_size(0)


class DebugLog:
    """The library's debug log, by which this process knows whether the library has read anything.

    A call of the wait function reads one message of each worker; others may remain in the library's buffers,
    where no poll sees them. The log has a line for each message.

    Args:
        path: The file that the library appends to.
        is_kept: Whether it is for the user; if not, it is emptied again and again.
        alarm: What :meth:`find_alarms` finds: a regular expression of alternatives, each with one named
            group. Only for a log that is kept.
    """

    def __init__(self, path: str, is_kept: bool, alarm: str = "") -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._is_kept = is_kept
        self._read_bytes = 0
        #: Whether a worker was lost.
        self.has_loss = False
        self._alarm = re.compile(alarm.encode()) if alarm else None
        self._searched_bytes = 0

    def has_received(self) -> bool:
        """Return whether the library has read a message, or lost a worker, since the last call.

        The loss of a worker also sets :attr:`has_loss`, which the caller resets.
        """
        size = os.fstat(self._descriptor).st_size
        news = os.pread(self._descriptor, size - self._read_bytes, self._read_bytes)
        if self._is_kept:
            self._read_bytes = size
        elif size:
            os.ftruncate(self._descriptor, 0)
        is_loss = b" removed" in news
        self.has_loss |= is_loss
        return is_loss or b": rx from " in news

    def find_alarms(self) -> list[tuple[str, str]]:
        """Return the names of the groups that match what was added since the last call, and their texts."""
        if self._alarm is None:
            return []
        size = os.fstat(self._descriptor).st_size
        news = os.pread(self._descriptor, size - self._searched_bytes, self._searched_bytes)
        end = news.rfind(b"\n") + 1  # the last line may be incomplete
        self._searched_bytes += end
        found = self._alarm.finditer(news[:end])
        return [(str(match.lastgroup), match[str(match.lastgroup)].decode()) for match in found]
