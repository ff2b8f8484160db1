"""Waiting for descriptors: epoll(7), or poll(2) with the same interface."""

from __future__ import annotations

import select
import time
from typing import Protocol

from parsl.common.system import IS_PORTABLE, make_wakeup

#: Events; the same numbers in poll(2) and epoll(7).
READABLE = select.POLLIN
WRITABLE = select.POLLOUT


class Poller(Protocol):
    """The part of the interface of ``select.epoll`` that loops use."""

    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]: ...
    def close(self) -> None: ...


class PortablePoller:
    """The interface of ``select.epoll`` on poll(2). Any thread may change what another thread waits for."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}
        self._changed = make_wakeup()

    def __repr__(self) -> str:
        return f"<PortablePoller descriptors={len(self._events)}>"

    def register(self, fd: int, eventmask: int) -> None:
        """Wait for events of a descriptor, and for errors."""
        self._events[fd] = eventmask
        self._changed.notify()

    def modify(self, fd: int, eventmask: int) -> None:
        """Wait for other events of a descriptor.

        Raises:
            FileNotFoundError: The descriptor is not registered.
        """
        if fd not in self._events:
            raise FileNotFoundError(f"descriptor {fd} is not registered")
        self.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        """Wait for a descriptor no longer."""
        del self._events[fd]
        self._changed.notify()

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Return the descriptors that are ready, with their events.

        Args:
            timeout: How long to wait (seconds); None or a negative number for ever.
        """
        is_limited = timeout is not None and timeout >= 0
        deadline = time.monotonic() + (timeout or 0.0)
        while True:
            left_s = max(0.0, deadline - time.monotonic()) if is_limited else None
            ready = self._poll_once(None if left_s is None else left_s * 1000)
            if ready or left_s == 0.0:
                return ready

    def _poll_once(self, timeout_ms: float | None) -> list[tuple[int, int]]:
        """Wait once: also until another thread has changed the descriptors."""
        poller = select.poll()
        poller.register(self._changed.fd, READABLE)
        for fd, events in list(self._events.items()):
            poller.register(fd, events)
        found = poller.poll(timeout_ms)
        if any(fd == self._changed.fd for fd, _ in found):
            self._changed.clear()
        for fd, event in found:
            if event & select.POLLNVAL:  # closed without being unregistered; epoll forgets it, too
                self._events.pop(fd, None)
        return [(fd, event) for fd, event in found if fd != self._changed.fd and fd in self._events]

    def close(self) -> None:
        """Close the descriptors of the poller itself."""
        self._changed.close()


def make_poller(is_portable: bool = IS_PORTABLE) -> Poller:
    """Create a poller without descriptors."""
    return PortablePoller() if is_portable else select.epoll()
