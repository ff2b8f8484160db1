"""The end of a worker with all that it has started. A part of the fork server."""

from __future__ import annotations

import signal

from parsl.executors.high_throughput.orphans import Belongings
from parsl.executors.high_throughput.process_tree import signal_processes
from parsl.processes import ProcessEntry

#: How often to kill again what does not end, and how often to look while something is in doubt, in seconds.
_AGAIN_S = 1.0
_DOUBT_PERIOD_S = 0.02


class Ending:
    """One worker's processes are asked to end, and killed when their time is up. Owned by the fork server.

    Whoever was found once stays known, wherever it goes.

    Args:
        worker: the worker's process id.
        rank: its rank.
    """

    def __init__(self, worker: int, rank: int) -> None:
        self.worker = worker
        self._rank = rank
        #: When to kill, on the monotonic clock, in seconds: at once, unless somebody says otherwise.
        self.kill_at_s = 0.0
        #: When to look again if nothing happens before.
        self.look_at_s = 0.0
        self._known: dict[int, ProcessEntry] = {}

    def __repr__(self) -> str:
        return f"<Ending of worker {self._rank} ({self.worker}) known={len(self._known)}>"

    def go_on(self, belongings: Belongings, now_s: float) -> bool:
        """Signal what is left.

        Args:
            belongings: what is whose now.
            now_s: the time of that.

        Returns:
            Whether something is left, or may be.
        """
        processes = belongings.processes
        known = processes.still(self._known.values())
        left = belongings.of(self.worker, self._rank) | processes.with_descendants(known)
        if now_s < self.kill_at_s:
            signal_processes(left - known, signal.SIGTERM)
            self.look_at_s = self.kill_at_s
        else:
            signal_processes(left, signal.SIGKILL)
            self.look_at_s = now_s + _AGAIN_S
        if belongings.doubtful:
            self.look_at_s = min(self.look_at_s, now_s + _DOUBT_PERIOD_S)
        self._known = {pid: processes[pid] for pid in left}
        return bool(left or belongings.doubtful)
