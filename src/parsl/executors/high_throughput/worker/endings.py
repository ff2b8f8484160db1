"""The end of what tasks and workers have started: decisions. A part of the fork server."""

from __future__ import annotations

import signal

from parsl.executors.high_throughput.wire.protocol import Exited
from parsl.executors.high_throughput.worker.orphans import ProcessOwnership

#: How long to wait for orphans that may be somebody else's, in seconds, when nothing else is left.
PATIENCE_S = 2.0
#: How often to kill again what does not end, in seconds.
AGAIN_S = 1.0


class Eviction:
    """Processes are asked to end, once each, and killed when their time is up.

    Args:
        kill_at_s: when that is, on the monotonic clock, in seconds; at once by default.
    """

    def __init__(self, kill_at_s: float = 0.0) -> None:
        self.kill_at_s = kill_at_s
        #: Whether nothing is left, as of the last look.
        self.is_over = False
        self._asked: set[int] = set()
        self._clear_since: float | None = None

    def __repr__(self) -> str:
        return f"<Eviction asked={len(self._asked)} is_over={self.is_over}>"

    def go_on(self, left: set[int], is_doubtful: bool, now_s: float) -> tuple[int, set[int]]:
        """Take in what is left.

        Args:
            left: the processes that are known to be left.
            is_doubtful: whether there are others that may belong to them.
            now_s: the time, on the monotonic clock.

        Returns:
            A signal, and the processes to send it to.
        """
        if left:
            self._clear_since = None
        elif self._clear_since is None:
            self._clear_since = now_s
        self.is_over = self._clear_since is not None and (
            not is_doubtful or now_s >= self._clear_since + PATIENCE_S
        )
        if now_s >= self.kill_at_s:
            return signal.SIGKILL, left
        new, self._asked = left - self._asked, self._asked | left
        return signal.SIGTERM, new


class Ending:
    """The end of a worker with all that it has started.

    Args:
        worker: the worker's process id.
        rank: its rank.
    """

    def __init__(self, worker: int, rank: int) -> None:
        self.worker = worker
        self.rank = rank
        #: How the worker itself has ended, if it has.
        self.exited: Exited | None = None
        #: When to look again if nothing happens before, on the monotonic clock, in seconds.
        self.look_at_s = 0.0
        self._eviction = Eviction()

    def __repr__(self) -> str:
        return f"<Ending of worker {self.rank} ({self.worker}) exited={self.exited is not None}>"

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and nothing of it is left."""
        return self._eviction.is_over and self.exited is not None

    def grant(self, until_s: float) -> None:
        """Kill at that time, and ask until then."""
        self._eviction.kill_at_s = until_s

    def go_on(self, belongings: ProcessOwnership, now_s: float) -> tuple[int, set[int]]:
        """Take in what was seen. Returns: a signal, and the processes to send it to."""
        kill_at_s = self._eviction.kill_at_s
        self.look_at_s = kill_at_s if now_s < kill_at_s else now_s + AGAIN_S
        if belongings.doubtful:
            self.look_at_s = min(self.look_at_s, now_s + belongings.pause_s)
        return self._eviction.go_on(belongings.of(self.rank), bool(belongings.doubtful), now_s)
