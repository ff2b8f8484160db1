"""The descriptors of a loop, each with the handler of its events."""

from __future__ import annotations

from collections.abc import Callable

from parsl.common.system.polling import READABLE, WRITABLE, make_poller

Handler = Callable[[int], object]


class Watcher:
    """Calls a descriptor's handler with the events of its poller. Owned by the loop that calls `serve`."""

    def __init__(self) -> None:
        self._poller = make_poller()
        self._handlers: dict[int, Handler] = {}

    def __repr__(self) -> str:
        return f"<Watcher descriptors={len(self._handlers)}>"

    def add(self, fd: int, handler: Handler) -> None:
        self._handlers[fd] = handler
        self._poller.register(fd, READABLE)

    def watch_output(self, fd: int, is_needed: bool) -> None:
        self._poller.modify(fd, READABLE | (WRITABLE if is_needed else 0))

    def remove(self, fd: int) -> None:
        """Stop watching a descriptor, before it is closed."""
        self._poller.unregister(fd)
        del self._handlers[fd]

    def serve(self, timeout_s: float) -> None:
        for fd, event in self._poller.poll(timeout_s):
            if fd in self._handlers:  # an earlier handler may have removed it
                self._handlers[fd](event)

    def close(self) -> None:
        self._poller.close()
