"""The order of steps: a loop in each thread, so that steps never nest, and a limit on tasks of one app."""

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

#: What an interrupted loop (KeyboardInterrupt) has left. The next loop that runs takes it.
_left_over: deque[Work] = deque()


class WorkLoop(threading.local):
    """The steps that are ready in this thread. Each thread sees only its own.

    The end of a task makes others ready; launching these may end them at once; and so on along a chain of
    any length. Each step queues the next one here instead of calling it, so the stack stays as deep as one
    step.
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
            self._active = False
            if self._waiting:
                _left_over.extend(self._waiting)
                self._waiting.clear()

    def run_soon(self, work: Callable[..., object], *args: Any) -> None:
        """Call ``work(*args)`` after the present step of the loop; at once outside of the loop."""
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
                    logger.exception("A step of the kernel failed: %r %r", work, args)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._waiting)} waiting, {'active' if self._active else 'idle'}>"


#: The loop of the calling thread, for all kernels.
work_loop = WorkLoop()


class ConcurrencyLimit:
    """Admits a limited number of an app's tasks at a time; the others wait in the order of their readiness.

    Any thread may call it. A queued task is pending, and can be cancelled.
    """

    def __init__(self, max_admitted: int) -> None:
        self.max_admitted = max_admitted
        self._admitted = 0
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()

    def admits(self, launch: Callable[[], object]) -> bool:
        """Whether a task may be launched now. If not, ``launch`` is called when it is the task's turn."""
        with self._lock:
            if self._admitted < self.max_admitted:
                self._admitted += 1
                return True
            self._waiting.append(launch)
            return False

    def release(self, _: object = None) -> None:
        """Free the place of an admitted task, and launch the next task."""
        with self._lock:
            if not self._waiting:
                self._admitted -= 1
                return
            launch = self._waiting.popleft()
        work_loop.run_soon(launch)

    def __repr__(self) -> str:
        counts = f"{self._admitted} of {self.max_admitted} admitted, {len(self._waiting)} waiting"
        return f"<{type(self).__name__} {counts}>"
