"""Ends what tasks have left behind while their workers live on. A part of the fork server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

from parsl.executors.high_throughput.orphans import Orphans
from parsl.executors.high_throughput.process_tree import signal_processes

#: How often to look whether what was told to end has ended, in seconds: nobody else's children tell.
_PERIOD_S = 0.02
#: Python's multiprocessing has one in each process that uses it, for as long as that runs. It holds nothing.
_RESOURCE_TRACKER = b"multiprocessing.resource_tracker"


class Sweeper:
    """Owned by the fork server's loop, as all that it is given.

    Args:
        pid: the fork server, which adopts orphans.
        workers: the ranks of the living workers, by process id.
        orphans: says what belongs to whom.
    """

    def __init__(self, pid: int, workers: Mapping[int, int], orphans: Orphans) -> None:
        self._pid = pid
        self._workers = workers
        self._orphans = orphans
        #: When to kill what is left, by worker.
        self._deadlines: dict[int, float] = {}
        self._asked: dict[int, set[int]] = {}

    def __repr__(self) -> str:
        return f"<Sweeper sweeping={len(self._deadlines)}>"

    def begin(self, worker: int, grace_s: float) -> None:
        """End what a worker's task has left; what is there after the grace is killed."""
        self._deadlines[worker] = time.monotonic() + grace_s
        self._asked[worker] = set()

    @property
    def wait_s(self) -> float | None:
        """When to look again, in seconds; None if there is nothing to look for."""
        return _PERIOD_S if self._deadlines else None

    def step(self) -> list[int]:
        """Go on. Returns: the workers whose tasks have left nothing any more."""
        swept = []
        for worker in list(self._deadlines):
            if worker not in self._workers:
                self._forget(worker)  # it has ended, and is buried with all that is left
            elif not self._sweep(worker):
                self._forget(worker)
                swept.append(worker)
        return swept

    def _forget(self, worker: int) -> None:
        del self._deadlines[worker], self._asked[worker]

    def _sweep(self, worker: int) -> bool:
        """Returns: whether anything is left."""
        if not self._may_be_left(worker):
            return False
        belongings = self._orphans.look(self._workers)
        left = belongings.of(worker, self._workers[worker]) - {worker}
        left = {pid for pid in left if not _is_resource_tracker(pid)}
        if time.monotonic() >= self._deadlines[worker]:
            signal_processes(left, signal.SIGKILL)
        else:
            signal_processes(left - self._asked[worker], signal.SIGTERM)
            self._asked[worker] |= left
        return bool(left or belongings.doubtful)

    def _may_be_left(self, worker: int) -> bool:
        """Look at children only, which is quick: whatever is left is one of theirs, or one itself.

        The worker's first: what is below it can become ours while we look, but never the other way round.
        """
        try:
            return bool(_children(worker) or _children(self._pid) - self._workers.keys())
        except OSError:
            return True


def _children(pid: int) -> set[int]:
    """The children of all threads of a process, dead ones that nobody has waited for included."""
    found: set[int] = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            found.update(map(int, file.read().split()))
    return found


def _is_resource_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return _RESOURCE_TRACKER in file.read()
    except OSError:
        return False
