"""Ends workers with everything that they started, and what tasks leave behind. Part of the fork server."""

from __future__ import annotations

import signal
import time

from parsl.common.process_facts import children_of, command_line_of
from parsl.common.processes import signal_processes
from parsl.executors.high_throughput.wire.fork_orders import Exited, Swept
from parsl.executors.high_throughput.worker.process_ownership import OwnershipTracker, ProcessOwnership

#: How long to wait for orphans whose owner is unknown when no other processes are left, in seconds.
UNDECIDED_TIMEOUT_S = 2.0
#: How often to kill processes again that do not end, in seconds.
KILL_PERIOD_S = 1.0
#: Each process that uses Python's multiprocessing has one as long as it runs. It holds no resources.
_RESOURCE_TRACKER = b"multiprocessing.resource_tracker"


class Eviction:
    """The end of a set of processes: SIGTERM once for each, and SIGKILL when their time is up."""

    def __init__(self, kill_at_s: float = 0.0) -> None:
        #: On the monotonic clock; at once by default. Until then, processes get SIGTERM.
        self.kill_at_s = kill_at_s
        #: Whether no process is left, as of the last look.
        self.is_over = False
        self._signalled: set[int] = set()
        self._clear_since: float | None = None

    def __repr__(self) -> str:
        return f"<Eviction signalled={len(self._signalled)} is_over={self.is_over}>"

    def advance(self, left: set[int], has_undecided: bool, now_s: float) -> tuple[int, set[int]]:
        """Return a signal, and the processes to send it to, given those that are left.

        ``has_undecided``: whether there are other processes that may belong to them.
        """
        if left:
            self._clear_since = None
        elif self._clear_since is None:
            self._clear_since = now_s
        self.is_over = self._clear_since is not None and (
            not has_undecided or now_s >= self._clear_since + UNDECIDED_TIMEOUT_S
        )
        if now_s >= self.kill_at_s:
            return signal.SIGKILL, left
        new, self._signalled = left - self._signalled, self._signalled | left
        return signal.SIGTERM, new


class WorkerEnd:
    """The end of a worker with everything that it has started."""

    def __init__(self, worker: int, rank: int) -> None:
        #: The worker's process id.
        self.worker = worker
        self.rank = rank
        #: How the worker process itself has ended, if it has.
        self.exited: Exited | None = None
        #: When to look again if nothing happens earlier, on the monotonic clock, in seconds.
        self.look_at_s = 0.0
        self.eviction = Eviction()

    def __repr__(self) -> str:
        return f"<WorkerEnd of worker {self.rank} ({self.worker}) exited={self.exited is not None}>"

    def advance(self, ownership: ProcessOwnership, now_s: float) -> tuple[int, set[int]]:
        kill_at_s = self.eviction.kill_at_s
        self.look_at_s = kill_at_s if now_s < kill_at_s else now_s + KILL_PERIOD_S
        if ownership.undecided:
            self.look_at_s = min(self.look_at_s, now_s + ownership.pause_s)
        return self.eviction.advance(ownership.of(self.rank), bool(ownership.undecided), now_s)


class Reaper:
    """Knows the living workers, and those that are being ended or swept. Owned by the fork server's loop.

    To *sweep* is to end what a task has left behind while its worker lives on.
    """

    def __init__(self, pid: int) -> None:
        #: The process id of the fork server, which adopts orphans.
        self._pid = pid
        self._tracker = OwnershipTracker(pid)
        #: The ranks of the living workers, by process id.
        self._workers: dict[int, int] = {}
        #: By rank: workers that are ending, or have ended while a process of theirs has not.
        self._ends: dict[int, WorkerEnd] = {}
        #: By the worker's process id.
        self._sweeps: dict[int, Eviction] = {}
        self._sweep_pause_s = 0.0

    def __repr__(self) -> str:
        return f"<Reaper workers={len(self._workers)} ends={len(self._ends)} sweeps={len(self._sweeps)}>"

    def add(self, worker: int, rank: int) -> None:
        self._workers[worker] = rank

    def is_worker(self, pid: int) -> bool:
        return pid in self._workers

    def end(self, worker: int, grace_s: float) -> None:
        """Begin to end a worker; its processes are killed after the grace, in seconds."""
        if (rank := self._workers.get(worker)) is not None:
            self._end_of(worker, rank).eviction.kill_at_s = time.monotonic() + grace_s

    def note_exit(self, exited: Exited) -> None:
        self._end_of(exited.pid, self._workers.pop(exited.pid)).exited = exited

    def _end_of(self, worker: int, rank: int) -> WorkerEnd:
        return self._ends.setdefault(rank, WorkerEnd(worker, rank))

    def sweep(self, worker: int, grace_s: float) -> None:
        self._sweeps[worker] = Eviction(time.monotonic() + grace_s)

    @property
    def wait_s(self) -> float | None:
        """When to call `step` next if nothing happens earlier, in seconds; None if there is no need to."""
        now = time.monotonic()
        waits = [end.look_at_s - now for end in self._ends.values()]
        if self._sweeps:
            waits.append(self._sweep_pause_s)
        return min(waits, default=None)

    def step(self) -> list[Exited | Swept]:
        """Signal processes. Return the ends and sweeps that are over."""
        return [*self._advance_ends(), *(Swept(worker) for worker in self._advance_sweeps())]

    def _advance_ends(self) -> list[Exited]:
        """A worker counts as ended when its processes have ended too; then its place can be used again."""
        if not self._ends:
            return []
        over = []
        ownership, now = self._look(), time.monotonic()
        for rank, end in list(self._ends.items()):
            number, pids = end.advance(ownership, now)
            signal_processes(pids, number)
            if end.eviction.is_over and end.exited is not None:
                del self._ends[rank]
                over.append(end.exited)
        return over

    def _advance_sweeps(self) -> list[int]:
        for worker in self._sweeps.keys() - self._workers.keys():
            del self._sweeps[worker]  # the worker has ended, and its end includes the sweep
        clean = [worker for worker in self._sweeps if not self._may_have_left(worker)]
        rest = self._sweeps.keys() - set(clean)
        if rest:
            ownership, now = self._look(), time.monotonic()
            self._sweep_pause_s = ownership.pause_s  # no signal reports the end of other processes' children
            clean += [worker for worker in rest if self._advance_sweep(worker, ownership, now)]
        for worker in clean:
            del self._sweeps[worker]
        return clean

    def _advance_sweep(self, worker: int, ownership: ProcessOwnership, now_s: float) -> bool:
        """Signal what a task has left. Return whether nothing is left."""
        sweep = self._sweeps[worker]
        left = ownership.of(self._workers[worker]) - {worker}
        left = {pid for pid in left if not _is_resource_tracker(pid)}
        number, pids = sweep.advance(left, bool(ownership.undecided), now_s)
        signal_processes(pids, number)
        return sweep.is_over

    def _may_have_left(self, worker: int) -> bool:
        """Check children only, which is quick: all that is left is a child of the worker or of this process.

        The worker's come first: its descendants may become this process's children, but not the reverse.
        """
        try:
            return bool(children_of(worker) or children_of(self._pid) - self._workers.keys())
        except OSError:
            return True

    def _look(self) -> ProcessOwnership:
        ended = [(end.worker, rank) for rank, end in self._ends.items() if end.exited is not None]
        return self._tracker.look(self._workers, ended)


def _is_resource_tracker(pid: int) -> bool:
    try:
        return _RESOURCE_TRACKER in command_line_of(pid)
    except OSError:
        return False
