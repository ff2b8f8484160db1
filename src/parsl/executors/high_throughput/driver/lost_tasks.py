"""Tasks that were lost with their manager: kept back until it is known how the job of its block ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from parsl.executors.high_throughput.driver.failures import JobEnd, exceeds_walltime, exception_of
from parsl.executors.high_throughput.wire.protocol import MANAGER_LOST, WORKER_LOST, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from parsl.executors.blocks.views import KnownJob

    class Blocks(Protocol):
        """What this needs from the executor's blocks."""

        def known_job(self, block_id: str) -> KnownJob | None: ...

        def poll(self) -> None: ...

        def process_lost(self) -> None: ...


logger = logging.getLogger(__name__)

#: How long a task is kept back at most, in seconds; and one that only has to be tried again, in the next job.
PATIENCE_S = 5.0
KNOWN_PATIENCE_S = 2.0

#: If the scheduler says so many seconds after the loss that the job goes on, there was another reason.
CERTAIN_AFTER_S = 1.0

#: How often to look whether the scheduler is to be asked, in seconds.
_LOOK_S = 0.25


class _Lost(NamedTuple):
    task_id: int
    failure: Failure
    lost_s: float


class LostTasks:
    """Keeps failures back, for seconds at most, so that the errors say all that there is to know.

    A thread of its own looks after them as long as there are any.

    Args:
        label: the executor's.
        blocks: the executor's blocks, which query the scheduler.
        walltime_s: how long a block may run, in seconds; None if nobody knows.
        settle: called with a task and its error when that is complete.
    """

    def __init__(
        self,
        label: str,
        blocks: Blocks,
        walltime_s: float | None,
        settle: Callable[[int, BaseException], None],
    ) -> None:
        self._label = label
        self._blocks = blocks
        self._walltime_s = walltime_s
        self._settle = settle
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._waiting: dict[str, list[_Lost]] = {}
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        with self._lock:
            return f"<LostTasks {sum(map(len, self._waiting.values()))} in {len(self._waiting)} blocks>"

    def take(self, task_id: int, failure: Failure) -> bool:
        """Note that the machinery has failed a task. Returns: whether it is settled here, later."""
        if failure.kind == WORKER_LOST:
            self._blocks.process_lost()
        if failure.kind != MANAGER_LOST or not failure.is_manager_gone:
            return False
        if self._blocks.known_job(failure.block) is None:
            return False
        with self._lock:
            self._waiting.setdefault(failure.block, []).append(_Lost(task_id, failure, time.monotonic()))
            if self._thread is None:
                name = f"{self._label}-lost"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
        return True

    def wake(self) -> None:
        """Look again: something may have become known about blocks."""
        self._news.set()

    def close(self) -> None:
        """Settle everything at once; the run is over."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            thread = self._thread
        for block, lost in waiting.items():
            self._settle_all(lost, self._blocks.known_job(block))
        self.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(KNOWN_PATIENCE_S)

    def _run(self) -> None:
        try:
            self._look_until_settled()
        except BaseException:
            logger.critical(
                "Executor %s: the thread that finds out why tasks were lost has failed. Their errors say "
                "what is known without it.",
                self._label,
                exc_info=True,
            )
            with self._lock:
                waiting, self._waiting, self._thread = self._waiting, {}, None
            for lost in waiting.values():
                self._settle_all(lost, None)

    def _look_until_settled(self) -> None:
        self._blocks.process_lost()
        while True:
            self._news.clear()
            self._settle_known()
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
            try:
                self._blocks.poll()
            except Exception:
                logger.exception("Executor %s: its blocks could not be looked after", self._label)
            if not self._settle_known():
                self._news.wait(_LOOK_S)

    def _settle_known(self) -> bool:
        """Settle the tasks of which enough is known. Returns: whether there were any."""
        now_s = time.monotonic()
        with self._lock:
            blocks = list(self._waiting)
        settled = False
        for block in blocks:
            job = self._blocks.known_job(block)
            with self._lock:
                waiting = self._waiting.pop(block, [])
                ready = [lost for lost in waiting if self._is_known(lost, job, now_s)]
                if len(ready) < len(waiting):
                    self._waiting[block] = [lost for lost in waiting if lost not in ready]
            self._settle_all(ready, job)
            settled = settled or bool(ready)
        return settled

    def _settle_all(self, lost: list[_Lost], job: KnownJob | None) -> None:
        try:
            end = None if job is None or not job.has_ended else JobEnd.of(job)
        except Exception:
            logger.exception("How the job ended that tasks were lost with could not be found out")
            end = None
        for task_id, failure, _ in lost:
            self._settle(task_id, exception_of(failure, end, self._walltime_s))

    def _is_known(self, lost: _Lost, job: KnownJob | None, now_s: float) -> bool:
        """Whether there is nothing to wait for any more."""
        if job is None or job.has_ended:
            return True
        age_s = now_s - lost.lost_s
        if lost.failure.is_job_end:
            is_final = exceeds_walltime(lost.failure, self._walltime_s)
            return age_s >= (PATIENCE_S if is_final else KNOWN_PATIENCE_S)
        goes_on = job.answer_age_s is not None and job.answer_age_s <= age_s - CERTAIN_AFTER_S
        return goes_on or age_s >= PATIENCE_S
