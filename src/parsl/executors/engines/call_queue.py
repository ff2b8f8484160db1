"""Which calls a pool gets now, which wait until it has room, and which it gets as one.

A call of a pool of processes takes longer than many functions do. So calls of functions that have been short
so far go to the pool together, while the pool has enough to do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import RLock
from types import CodeType
from typing import Any, NamedTuple

from parsl.executors.engines.executor import EngineTask
from parsl.executors.engines.short_functions import ShortFunctions

#: For each worker, one call runs, and another one is ready when that ends. Further short ones wait.
_CALLS_PER_WORKER = 2


class QueuedCall(NamedTuple):
    """A call, and the task that ends with it."""

    task: EngineTask
    #: The code of its function; None if it has none, or if its calls are not measured.
    code: CodeType | None
    #: What the pool's worker needs.
    work: Any


class CallQueue:
    """The calls that wait for a pool, in the order of their arrival. Any thread may use the queue.

    Args:
        slots: How many calls the pool runs at a time; None if unknown: then no call waits.
        max_together: How many calls the pool gets as one, at most.
        functions: Which functions are short.
    """

    def __init__(self, slots: int | None, max_together: int, functions: ShortFunctions) -> None:
        self._max_together = max_together
        self._waiting: OrderedDict[int, QueuedCall] = OrderedDict()
        #: How many calls of the pool are in progress, each of which runs one task or more.
        self._running = 0
        self._functions = functions
        self._lock = RLock()  # reentrant, because a signal handler may call an app in between
        self.resize(slots)

    def resize(self, slots: int | None) -> None:
        """Use another pool; its size is as for the constructor."""
        limit = _CALLS_PER_WORKER * (slots or 0)
        with self._lock:
            #: How many calls of the pool are in progress before short ones wait; None if none ever waits.
            self._limit = limit if limit > 0 and self._max_together > 1 else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._waiting)} waiting, {self._running} in the pool>"

    def admit(self, call: QueuedCall) -> bool:
        """Return whether the pool gets a call now; otherwise it waits for :meth:`take`."""
        with self._lock:
            if not (self._waiting or (self._is_busy() and self._is_short(call))):
                self._running += 1
                return True
            self._waiting[call.task.parsl_executor_task_id] = call
            return False

    def take(self) -> list[QueuedCall]:
        """Remove the calls that the pool gets next, as one; none if it has enough, or if none waits."""
        with self._lock:
            if self._is_busy():
                return []
            share = 1 if self._limit is None else -(-len(self._waiting) // self._limit)
            number = min(self._max_together, share)
            calls: list[QueuedCall] = []
            while self._waiting and len(calls) < number:
                call = next(iter(self._waiting.values()))
                if calls and not self._is_short(call):
                    break
                self._waiting.popitem(last=False)
                if call.task.done():  # all tasks have been failed
                    continue
                calls.append(call)
                if not self._is_short(call):
                    break
            self._running += bool(calls)
            return calls

    def put_back(self, calls: Sequence[QueuedCall]) -> None:
        """Put calls that a worker has returned before all others."""
        with self._lock:
            for call in reversed(calls):
                number = call.task.parsl_executor_task_id
                self._waiting[number] = call
                self._waiting.move_to_end(number, last=False)

    def remove(self, task: EngineTask) -> bool:
        """Remove a waiting call. Returns whether it was waiting."""
        with self._lock:
            return self._waiting.pop(task.parsl_executor_task_id, None) is not None

    def ended(self) -> None:
        """Note that a call of the pool has ended, or was refused."""
        with self._lock:
            self._running -= 1

    def _is_busy(self) -> bool:
        return self._limit is not None and self._running >= self._limit

    def _is_short(self, call: QueuedCall) -> bool:
        return self._functions.cover(call.code, len(call.work))
