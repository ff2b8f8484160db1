"""A loop in each thread that runs what has become ready, so that one thing never nests in another."""

from __future__ import annotations

import threading
from collections import deque
from logging import getLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Work = tuple[Callable[..., object], tuple[Any, ...]]

logger = getLogger(__name__)

#: What a loop that was interrupted (KeyboardInterrupt) has left; the next one to run takes it on.
_left_over: deque[Work] = deque()


class WorkLoop(threading.local):
    """What has become ready in this thread. There is one for each thread; a thread sees only its own.

    Finishing a task makes others ready; launching these may finish them at once; and so on along a
    chain of any length. Each step puts the next one here instead of calling it, so the stack stays as
    deep as one step.
    """

    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._active = False

    def run_now(self, work: Callable[..., object], *args: Any) -> None:
        """Call ``work(*args)``, and then, unless this is inside the loop, all that it makes ready."""
        if self._active:
            work(*args)
            return
        self._active = True
        try:
            work(*args)
            if self._waiting or _left_over:
                self._drain()
        finally:
            self._close()

    def run_soon(self, work: Callable[..., object], *args: Any) -> None:
        """Call ``work(*args)`` once the present step of the loop is over; at once if there is none."""
        if self._active:
            self._waiting.append((work, args))
        else:
            self.run_now(work, *args)

    def _drain(self) -> None:
        for source in (self._waiting, _left_over):
            while source:
                try:
                    work, args = source.popleft()
                except IndexError:  # another thread took it
                    break
                try:
                    work(*args)
                except Exception:
                    logger.exception("a step of the kernel failed: %r %r", work, args)

    def _close(self) -> None:
        self._active = False
        if self._waiting:
            _left_over.extend(self._waiting)
            self._waiting.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._waiting)} waiting, {'active' if self._active else 'idle'}>"


#: The loop of the calling thread, for all kernels together.
work_loop = WorkLoop()
