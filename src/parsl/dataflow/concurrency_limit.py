"""How many tasks of one app may be with executors at once."""

from __future__ import annotations

import threading
from collections import deque

from parsl.dataflow.work_loop import work_loop
from parsl.vocabulary.task_states import FINAL_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

    Waiting = tuple[TaskRecord, Iterable[Any], dict[str, Any]]


class ConcurrencyLimit:
    """Lets so many tasks through at once, and keeps the others in the order in which they became ready.

    Any thread may call it. A task that waits here is pending, and can be cancelled.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._through = 0
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.RLock()

    def admits(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
        """Whether a task may be launched now. If not, it is kept, and launched when it is its turn."""
        with self._lock:
            if self._through < self.most:
                self._through += 1
                return True
            self._waiting.append((record, args, kwargs))
            return False

    def release(self, _: object = None) -> None:
        """Note that an attempt of a task that was let through has ended, and launch the next task."""
        following = self._next()
        if following is not None:
            work_loop.run_soon(following[0].dfk.runner.launch_admitted, *following)

    def _next(self) -> Waiting | None:
        with self._lock:
            while self._waiting:
                following = self._waiting.popleft()
                if following[0].status not in FINAL_STATES:
                    return following
            self._through -= 1
            return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._through} of {self.most} through, {len(self._waiting)} waiting>"
