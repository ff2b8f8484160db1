"""What only Linux has, and portable stand-ins, chosen when the process starts.

``PARSL_PORTABLE=1`` selects the stand-ins on Linux, too, to test them. The processes of a run inherit it. See
`polling` and `packets` for sockets; `parsl.common.processes` reads the table of processes.

| Linux | elsewhere | what is weaker there |
| --- | --- | --- |
| epoll(7), eventfd(2) | poll(2), a pipe | a little slower |
| SOCK_SEQPACKET | datagrams, framed streams | a little slower |
| memory files, /dev/shm | a temporary file; payloads through sockets | large arguments are copied |
| pidfd_open(2) | the process id and start time, polled | a wait takes up to 10 ms longer |
| PR_SET_PDEATHSIG | a thread that waits for the parent's end | native code that keeps the lock delays it |
| PR_SET_CHILD_SUBREAPER | sessions and process groups | a task's daemon in a session of its own survives |
| SO_PEERCRED | the access rights of the socket's directory | nothing |
| sched_setaffinity(2) | none | workers are not bound to CPUs |
| /proc/self/fd | none | the error of a lost worker lacks the output of its node |
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial

#: Whether this process uses the portable stand-ins.
IS_PORTABLE = sys.platform != "linux" or os.environ.get("PARSL_PORTABLE") == "1"
#: The file system in memory; empty if there is none.
SHARED_MEMORY = "" if IS_PORTABLE else "/dev/shm"
#: Longest path of a unix socket, in bytes (sockaddr_un.sun_path, less the final zero).
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103
#: The unit of ``ru_maxrss`` in getrusage(2), in bytes.
MAX_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
# Of prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Wakeup:
    """Wakes a loop that waits for descriptors. Any thread may call `notify`."""

    __slots__ = ("clear", "close", "fd", "notify")

    def __init__(
        self,
        fd: int,
        notify: Callable[[], object],
        clear: Callable[[], object],
        close: Callable[[], object],
    ) -> None:
        #: Readable after a notification, until it is cleared.
        self.fd = fd
        self.notify = notify
        self.clear = clear
        self.close = close

    def __repr__(self) -> str:
        return f"<Wakeup fd={self.fd}>"


def make_wakeup(is_portable: bool = IS_PORTABLE) -> Wakeup:
    """Create a wakeup, which has been notified of nothing."""
    if is_portable:
        return _make_pipe_wakeup()
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    return Wakeup(fd, partial(os.eventfd_write, fd, 1), partial(os.eventfd_read, fd), partial(os.close, fd))


def _make_pipe_wakeup() -> Wakeup:
    read, write = nonblocking_pipe()

    def notify() -> None:
        try:
            os.write(write, b"\0")
        except BlockingIOError:
            pass  # full: the loop is about to wake up

    def clear() -> None:
        os.read(read, 65536)

    def close() -> None:
        os.close(read)
        os.close(write)

    return Wakeup(read, notify, clear, close)


def nonblocking_pipe() -> tuple[int, int]:
    """Return the ends of a pipe for reading and writing, which no program inherits."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


def anonymous_file(name: str, is_portable: bool = IS_PORTABLE) -> int:
    """Return the descriptor of a file without a name in any directory.

    Args:
        name: What the system shows for it, if it is in memory.

    Raises:
        OSError: There is no room or no descriptor for it.
    """
    if not is_portable:
        return os.memfd_create(name, os.MFD_CLOEXEC)
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        return os.dup(file.fileno())


def open_process(pid: int) -> int:
    """Return a descriptor of a process, which is readable once the process has ended.

    Raises:
        OSError: The process has ended, or the system has no such descriptors.
    """
    if IS_PORTABLE or not hasattr(os, "pidfd_open"):
        raise NotImplementedOnThisSystem("descriptors of processes")
    return os.pidfd_open(pid)


class NotImplementedOnThisSystem(OSError):
    """A facility that this system does not have; the caller has another way."""


def bind_to_cpus(cpus: Iterable[int]) -> bool:
    """Bind this process to CPUs. Return whether the system can."""
    if IS_PORTABLE:
        return False
    os.sched_setaffinity(0, cpus)
    return True


def become_subreaper() -> None:
    """Make orphaned descendants of this process its children, where the system can."""
    if not IS_PORTABLE:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have this process receive a signal when its parent ends, however that happens.

    Elsewhere than on Linux, a thread looks for it once a second: call this after the last fork.
    """
    if IS_PORTABLE:
        _start_orphan_watch(os.getppid(), number)
    else:
        _prctl(_PR_SET_PDEATHSIG, number)


def _start_orphan_watch(parent: int, number: int) -> None:
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), number)

    threading.Thread(target=watch, name="parsl-orphan-watch", daemon=True).start()


def _prctl(option: int, argument: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)
