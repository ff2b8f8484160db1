"""Calls functions at deadlines: one thread for all walltimes of an executor."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from logging import getLogger
from threading import Condition, Thread, current_thread
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[], object]

logger = getLogger(__name__)

#: The heap is rebuilt once it holds more cancelled deadlines than this, and they are the majority.
_MAX_CANCELLED = 64
_CALL_LIMIT_S = 10.0
_MAX_WAIT_S = 86_400.0


class Deadline:
    """One pending call."""

    __slots__ = ("_watch", "action")

    def __init__(self, watch: DeadlineWatch, action: Action) -> None:
        self._watch = watch
        self.action: Action | None = action

    def cancel(self) -> None:
        self._watch.drop(self)


class DeadlineWatch:
    """Waits in its own thread, which starts with the first deadline, and calls what is due.

    Each call runs in a new thread, so that a slow one does not delay others.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = Condition()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = count()
        self._cancelled = 0
        self._thread: Thread | None = None
        self._calls: set[Thread] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<DeadlineWatch pending={len(self._heap) - self._cancelled}>"

    @property
    def size(self) -> int:
        """The number of deadlines in memory, cancelled ones included."""
        return len(self._heap)

    def add(self, delay_s: float, action: Action) -> Deadline:
        deadline = Deadline(self, action)
        entry = (monotonic() + delay_s, next(self._numbers), deadline)
        with self._changed:
            heappush(self._heap, entry)
            if self._thread is None:
                thread = Thread(target=self._run, name=f"{self._name}-walltimes", daemon=True)
                thread.start()
                self._thread = thread
            elif self._heap[0] is entry:
                self._changed.notify()
        return deadline

    def drop(self, deadline: Deadline) -> None:
        with self._changed:
            if deadline.action is None:
                return
            deadline.action = None
            self._cancelled += 1
            if self._cancelled > _MAX_CANCELLED and self._cancelled * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapify(self._heap)
                self._cancelled = 0

    def close(self) -> None:
        """Make no more calls, end the thread, and wait for the calls that are under way."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        with self._changed:
            calls = self._calls - {current_thread()}
        for thread in calls:
            thread.join(_CALL_LIMIT_S)

    def _run(self) -> None:
        while (action := self._next_due()) is not None:
            thread = Thread(target=self._call, args=(action,), name=f"{self._name}-walltime", daemon=True)
            with self._changed:
                self._calls.add(thread)
            try:
                thread.start()
            except RuntimeError:  # no more threads can be started; the call must be made nevertheless
                self._calls.discard(thread)
                self._call(action)
            del action, thread  # a finished task must not stay in memory until the next deadline

    def _call(self, action: Action) -> None:
        try:
            action()
        except BaseException:  # an error with one task must not affect the walltimes of others
            logger.exception("A call at a deadline has failed: %r", action)
        finally:
            with self._changed:
                self._calls.discard(current_thread())

    def _next_due(self) -> Action | None:
        """Wait for the next call; None when the watch was closed."""
        with self._changed:
            while not self._is_closed:
                if not self._heap:
                    self._changed.wait()
                    continue
                time_s, _, deadline = self._heap[0]
                wait_s = time_s - monotonic()
                if deadline.action is None:
                    heappop(self._heap)
                    self._cancelled -= 1
                elif wait_s > 0:
                    self._changed.wait(min(wait_s, _MAX_WAIT_S))
                else:
                    heappop(self._heap)
                    action, deadline.action = deadline.action, None
                    return action
        return None
