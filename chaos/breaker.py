"""Breaks a run: kills its processes, or stops them for a while, at random moments."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter

import psutil

from parsl.executors.high_throughput.driver.supervisor import LOSSES_WITHIN_S, MAX_LOSSES
from tests.system.run import INTERCHANGE, titled

#: The weight of each target, by the beginning of the process's title: workers break most often, as in life.
TARGETS = {
    "parsl: HTEX worker": 8,
    "parsl: HTEX manager": 1,
    "parsl: HTEX fork server": 1,
    INTERCHANGE: 2,
}
#: The gap between two losses of an interchange, in seconds: long enough for the run not to be given up.
INTERCHANGES_APART_S = LOSSES_WITHIN_S / (MAX_LOSSES - 1) + 1
#: The pause before and after the loss of an interchange, in seconds. A manager that is lost together with the
#: interchange may have begun tasks that no other process has recorded.
RECOVERY_S = 3.0
#: The fraction of the targets that is stopped for a while instead of killed.
STOPPED = 0.2
#: How long these are stopped, in seconds.
STOP_S = 0.3


class Breaker(threading.Thread):
    """Owns nothing: it looks for the run's processes among this process's children.

    Args:
        period_s: Mean time between two breaks, in seconds.
        seed: For the same breaks again, as far as timing allows.
    """

    def __init__(self, period_s: float, seed: int) -> None:
        super().__init__(name="breaker", daemon=True)
        self._period_s = period_s
        self._random = random.Random(seed)
        self._is_over = threading.Event()
        self._last_interchange_s = -INTERCHANGES_APART_S
        #: The number of breaks of each kind.
        self.breaks: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Breaker {sum(self.breaks.values())} breaks>"

    def run(self) -> None:
        while not self._is_over.wait(self._random.expovariate(1 / self._period_s)):
            self._break_one()

    def end(self) -> None:
        """Stop breaking."""
        self._is_over.set()
        self.join()

    def _is_due(self) -> bool:
        """Return whether an interchange may be killed again."""
        now = time.monotonic()
        if now < self._last_interchange_s + INTERCHANGES_APART_S:
            return False
        self._last_interchange_s = now
        return True

    def _break_one(self) -> None:
        title = self._random.choices(list(TARGETS), list(TARGETS.values()))[0]
        found = titled(title)
        if not found:
            return
        process = self._random.choice(found)
        try:
            if self._random.random() < STOPPED:
                process.send_signal(signal.SIGSTOP)
                self._is_over.wait(STOP_S)
                process.send_signal(signal.SIGCONT)
                self.breaks[f"{title} stopped"] += 1
            elif title != INTERCHANGE or self._is_due():
                pause_s = RECOVERY_S if title == INTERCHANGE else 0.0
                self._is_over.wait(pause_s)
                process.kill()
                self.breaks[f"{title} killed"] += 1
                self._is_over.wait(pause_s)
        except psutil.Error:
            pass  # it has ended by itself
