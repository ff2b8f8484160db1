"""Ends what tasks have left behind while their workers live on. A part of the fork server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from parsl.common.process_tree import signal_processes
from parsl.executors.high_throughput.worker.endings import Eviction
from parsl.executors.high_throughput.worker.orphans import ProcessOwnership

#: Python's multiprocessing has one in each process that uses it, for as long as that runs. It holds nothing.
_RESOURCE_TRACKER = b"multiprocessing.resource_tracker"


class Sweeper:
    """Owned by the fork server's loop, as all that it is given.

    Args:
        pid: the fork server, which adopts orphans.
        workers: the ranks of the living workers, by process id.
        look: says what belongs to whom.
    """

    def __init__(self, pid: int, workers: Mapping[int, int], look: Callable[[], ProcessOwnership]) -> None:
        self._pid = pid
        self._workers = workers
        self._look = look
        #: What is going on, by worker.
        self._sweeps: dict[int, Eviction] = {}
        self._pause_s = 0.0

    def __repr__(self) -> str:
        return f"<Sweeper sweeping={len(self._sweeps)}>"

    def begin(self, worker: int, grace_s: float) -> None:
        """End what a worker's task has left; what is there after the grace is killed."""
        self._sweeps[worker] = Eviction(time.monotonic() + grace_s)

    @property
    def wait_s(self) -> float | None:
        """When to look again, in seconds; None if there is nothing to look for."""
        return self._pause_s if self._sweeps else None

    def step(self) -> list[int]:
        """Go on. Returns: the workers whose tasks have left nothing any more."""
        for worker in self._sweeps.keys() - self._workers.keys():
            del self._sweeps[worker]  # it has ended, and is buried with all that is left
        clean = [worker for worker in self._sweeps if not self._may_be_left(worker)]
        rest = self._sweeps.keys() - set(clean)
        if rest:
            belongings, now = self._look(), time.monotonic()
            self._pause_s = belongings.pause_s  # nobody else's children tell of their end
            clean += [worker for worker in rest if self._sweep(worker, belongings, now)]
        for worker in clean:
            del self._sweeps[worker]
        return clean

    def _sweep(self, worker: int, belongings: ProcessOwnership, now_s: float) -> bool:
        """Returns: whether nothing is left."""
        sweep = self._sweeps[worker]
        left = belongings.of(self._workers[worker]) - {worker}
        left = {pid for pid in left if not _is_resource_tracker(pid)}
        number, pids = sweep.go_on(left, bool(belongings.doubtful), now_s)
        signal_processes(pids, number)
        return sweep.is_over

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
