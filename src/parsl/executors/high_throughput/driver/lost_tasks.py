"""Tasks that were lost with their manager: they fail once it is known how the job of their block ended."""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from parsl.executors.high_throughput.driver.failures import JobEnd, exceeds_walltime, exception_of
from parsl.executors.high_throughput.driver.tasks import TaskTable
from parsl.executors.high_throughput.wire.protocol import (
    MANAGER_LOST,
    WORKER_LOST,
    DecodeError,
    Failure,
    decode_failure,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.blocks.block_set import BlockSet
    from parsl.executors.blocks.views import KnownJob

logger = logging.getLogger(__name__)

#: How long a failure is deferred at most, in seconds.
PATIENCE_S = 5.0
#: The same for a task that the kernel runs again in the next job in any case.
KNOWN_PATIENCE_S = 2.0
#: If the scheduler reports this long after the loss that the job runs, in seconds, the job is not the reason.
CERTAIN_AFTER_S = 1.0
#: How often to check whether the scheduler has to be queried, in seconds.
_CHECK_S = 0.25


class _Lost(NamedTuple):
    task_id: int
    failure: Failure
    lost_s: float


class LostTasks:
    """Fails the tasks that the machinery failed, and defers that for seconds to learn how their jobs ended.

    Any thread may call it. A thread of its own runs while failures are deferred.

    Args:
        label: The executor's label.
        blocks: The executor's blocks, which query the scheduler.
        tasks: The table in which the tasks remain until they fail.
        walltime_s: How long a block may run, in seconds; None if unknown.
    """

    def __init__(self, label: str, blocks: BlockSet, tasks: TaskTable, walltime_s: float | None) -> None:
        self._label = label
        self._blocks = blocks
        self._tasks = tasks
        self._walltime_s = walltime_s
        self._lock = threading.Lock()
        self._news = threading.Event()
        #: The deferred failures, by block.
        self._deferred: dict[str, list[_Lost]] = {}
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        with self._lock:
            return f"<LostTasks {sum(map(len, self._deferred.values()))} in {len(self._deferred)} blocks>"

    def fail(self, failed: list[tuple[int, bytes]]) -> None:
        """Fail tasks, or defer that until more is known.

        Args:
            failed: Numbers and `Failure` records of tasks.
        """
        for task_id, record in failed:
            try:
                failure = decode_failure(record)
            except DecodeError as error:
                self._tasks.fail(task_id, error)
                continue
            try:
                if self._defer(task_id, failure):
                    continue
            except Exception:
                logger.exception("Executor %s could not find out more about a lost task", self._label)
            self._tasks.fail(task_id, exception_of(failure))

    def _defer(self, task_id: int, failure: Failure) -> bool:
        if failure.kind == WORKER_LOST:
            self._blocks.process_lost()
        if failure.kind != MANAGER_LOST or not failure.is_manager_gone:
            return False
        if self._blocks.known_job(failure.block) is None:
            return False
        with self._lock:
            self._deferred.setdefault(failure.block, []).append(_Lost(task_id, failure, time.monotonic()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"{self._label}-lost", daemon=True)
                self._thread.start()
        return True

    def wake(self) -> None:
        """Check again now: more may be known about the blocks."""
        self._news.set()

    def close(self) -> None:
        """Fail all tasks now: the run ends."""
        with self._lock:
            deferred, self._deferred = self._deferred, {}
            thread = self._thread
        for block, lost in deferred.items():
            self._fail(lost, self._blocks.known_job(block))
        self.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(KNOWN_PATIENCE_S)

    def _run(self) -> None:
        try:
            self._blocks.process_lost()
            while True:
                self._news.clear()
                self._fail_known()
                if not self._has_more():
                    return
                self._poll()
                if not self._fail_known():
                    self._news.wait(_CHECK_S)
        except BaseException:
            logger.critical(
                "Executor %s: the thread that finds out why tasks were lost has failed. Their errors contain "
                "what is known without it.",
                self._label,
                exc_info=True,
            )
            with self._lock:
                deferred, self._deferred, self._thread = self._deferred, {}, None
            for lost in deferred.values():
                self._fail(lost, None)

    def _has_more(self) -> bool:
        """Return whether failures are deferred; the thread ends otherwise."""
        with self._lock:
            if not self._deferred:
                self._thread = None
            return self._thread is not None

    def _poll(self) -> None:
        try:
            self._blocks.poll()
        except Exception:
            logger.exception("Executor %s: its blocks could not be polled", self._label)

    def _fail_known(self) -> bool:
        """Fail the tasks about which enough is known. Return whether there were any."""
        now_s = time.monotonic()
        with self._lock:
            blocks = list(self._deferred)
        has_failed = False
        for block in blocks:
            job = self._blocks.known_job(block)
            with self._lock:
                lost = self._deferred.pop(block, [])
                known = [one for one in lost if self._is_known(one, job, now_s)]
                if len(known) < len(lost):
                    self._deferred[block] = [one for one in lost if one not in known]
            self._fail(known, job)
            has_failed = has_failed or bool(known)
        return has_failed

    def _fail(self, lost: list[_Lost], job: KnownJob | None) -> None:
        try:
            end = None if job is None or not job.has_ended else JobEnd.of(job)
        except Exception:
            logger.exception("Executor %s: the end of a job could not be examined", self._label)
            end = None
        for task_id, failure, _ in lost:
            self._tasks.fail(task_id, exception_of(failure, end, self._walltime_s))

    def _is_known(self, lost: _Lost, job: KnownJob | None, now_s: float) -> bool:
        """Return whether there is nothing left to wait for."""
        if job is None or job.has_ended:
            return True
        age_s = now_s - lost.lost_s
        if lost.failure.is_job_end:
            is_final = exceeds_walltime(lost.failure, self._walltime_s)
            return age_s >= (PATIENCE_S if is_final else KNOWN_PATIENCE_S)
        runs_on = job.answer_age_s is not None and job.answer_age_s <= age_s - CERTAIN_AFTER_S
        return runs_on or age_s >= PATIENCE_S
