"""The limit on how many tasks of one app executors have at the same time."""

from __future__ import annotations

import threading
from collections import deque

from parsl.dataflow.work_loop import work_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class ConcurrencyLimit:
    """Admits ``most`` tasks at a time, and queues the others in the order in which they became ready.

    Any thread may call it. A queued task is pending, and can be cancelled.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._admitted = 0
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()

    def admits(self, launch: Callable[[], object]) -> bool:
        """Whether a task may be launched now. If not, ``launch`` is called when it is the task's turn."""
        with self._lock:
            if self._admitted < self.most:
                self._admitted += 1
                return True
            self._waiting.append(launch)
            return False

    def release(self, _: object = None) -> None:
        """Note that an admitted task needs its place no longer, and launch the next task."""
        with self._lock:
            if not self._waiting:
                self._admitted -= 1
                return
            launch = self._waiting.popleft()
        work_loop.run_soon(launch)

    def __repr__(self) -> str:
        counts = f"{self._admitted} of {self.most} admitted, {len(self._waiting)} waiting"
        return f"<{type(self).__name__} {counts}>"
