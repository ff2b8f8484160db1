"""Memory limits of workers: which of them are over theirs. Told what was measured, it answers whom to end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: How often to measure, in seconds.
PERIOD_S = 1.0
#: Measuring costs at most this part of a processor; where it takes long, it is done less often.
MAX_COST = 0.01

GIB = 1024**3


class MemoryLimit:
    """What each worker, with all that it has started, may use. Belongs to the manager's loop.

    Workers are known by their process ids.

    Args:
        limit_bytes: the limit.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        #: When to measure next, on the caller's clock, in seconds.
        self.due_s = 0.0
        self._peaks: dict[int, int] = {}
        self._has_worked: set[int] = set()

    def __repr__(self) -> str:
        return f"<MemoryLimit {self.limit_bytes / GIB:g} GiB workers={len(self._peaks)}>"

    def measured(
        self, used: Mapping[int, int], busy: Collection[int], now_s: float, took_s: float
    ) -> list[int]:
        """Take in a measurement.

        Args:
            used: the memory of each worker, in bytes.
            busy: the workers that have a task.
            now_s: when this is.
            took_s: how long the measurement took, in seconds.

        Returns:
            The workers to end. One that is over its limit without ever having had a task is not among them:
            the next one in its place would be so, too.
        """
        self.due_s = now_s + max(PERIOD_S, took_s / MAX_COST)
        self._has_worked.update(busy)
        for worker, size in used.items():
            self._peaks[worker] = max(size, self._peaks.get(worker, 0))
        return [
            worker for worker, size in used.items() if size > self.limit_bytes and worker in self._has_worked
        ]

    def peak_of(self, worker: int) -> int:
        """The most that a worker was seen to use, in bytes."""
        return self._peaks.get(worker, 0)

    def forget(self, worker: int) -> None:
        """The worker has ended."""
        self._peaks.pop(worker, None)
        self._has_worked.discard(worker)

    def describe(self, worker: int) -> str:
        """What is said about a worker that was ended, and what to do."""
        return (
            f"was ended: with the processes that it had started it used {self.peak_of(worker) / GIB:.2f} GB "
            f"of memory, and its limit is {self.limit_bytes / GIB:g} GB (mem_per_worker, which "
            "enforce_mem_per_worker=True enforces). Give workers more, of which fewer then fit on a node, or "
            "have the task use less; some of it may be what earlier tasks of that worker have kept."
        )
