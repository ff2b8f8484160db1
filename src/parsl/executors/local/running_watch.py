"""Reports tasks in threads that take long, at no cost for short ones."""

from __future__ import annotations

from logging import getLogger
from threading import Event, Thread
from time import perf_counter, time

from parsl.common.threads import join
from parsl.vocabulary.run_observer import REPORTED_AFTER_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from typing import Any, Protocol

    class Runner(Protocol):
        """What runs a task."""

        #: When its task has started, in seconds of `time.perf_counter`.
        start_s: float

    Report = Callable[[list[tuple[Future[Any], float, int, int]]], None]

logger = getLogger(__name__)

#: How long to wait for the end of the thread, in seconds.
_CLOSE_S = 1.0


class RunningWatch:
    """Looks at the running tasks once in a while, in a thread that sleeps while no task runs.

    Args:
        name: The beginning of the thread's name.
        running: What runs each task, for as long as it runs; other threads change it.
        report: Receives the tasks as :meth:`RunObserver.tasks_started` does; None for no reports.
    """

    def __init__(self, name: str, running: Mapping[Any, Runner], report: Report | None) -> None:
        self._name = name
        self._running = running
        self._report = report
        self._reported: set[Future[Any]] = set()
        self._is_awaited = Event()
        self._is_closed = Event()
        self._thread: Thread | None = None
        #: Whether to call :meth:`wake` when a task starts.
        self.is_asleep = report is not None

    def __repr__(self) -> str:
        return f"<RunningWatch {self._name} reported={len(self._reported)} asleep={self.is_asleep}>"

    def wake(self) -> None:
        """Begin to look: a task has started."""
        self.is_asleep = False
        self._is_awaited.set()
        if self._thread is None and not self._is_closed.is_set():
            self._thread = Thread(target=self._run, name=f"{self._name}-watch", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no more threads can be started: there are no reports
                self._is_closed.set()

    def close(self) -> None:
        """End the thread, and wait for that."""
        self._is_closed.set()
        self._is_awaited.set()
        join(self._thread, _CLOSE_S)

    def _run(self) -> None:
        while not self._is_closed.wait(REPORTED_AFTER_S):
            try:
                self.look(perf_counter())
            except Exception:  # tasks go on without reports
                logger.exception("%r has failed", self)
                return
            if not self._running:
                self._reported.clear()  # ended tasks must not stay in memory
                self._is_awaited.clear()
                self.is_asleep = True
                if not self._running:  # no task has started before the line above
                    self._is_awaited.wait()

    def look(self, now_s: float) -> None:
        """Report the tasks that have been running for long and were not reported before."""
        running = list(self._running.items())
        ages = [(task, now_s - runner.start_s) for task, runner in running if task not in self._reported]
        found = [(task, time() - age_s, -1, -1) for task, age_s in ages if age_s >= REPORTED_AFTER_S]
        self._reported.intersection_update([task for task, _ in running])
        self._reported.update([each[0] for each in found])
        if found and self._report is not None:
            self._report(found)
