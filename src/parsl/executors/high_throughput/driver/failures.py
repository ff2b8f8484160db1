"""How tasks fail: the exceptions that users see, once it is known how the job of a lost manager ended."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from msgspec.structs import asdict

from parsl.common import threads
from parsl.executors.blocks.block_set import BlockListener, BlockSet
from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver.tasks import TaskTable
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost, WorkerOverMemory
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import DecodeError, Failure, decode_failure
from parsl.failure_facts import attach
from parsl.vocabulary.app_errors import AppTimeout, meaning_of_exit
from parsl.vocabulary.job_states import JobState

logger = logging.getLogger(__name__)

#: A task that ran for more than this part of a walltime would not complete in another block either.
MAX_OF_WALLTIME = 0.9
#: How many characters of a job's stderr are shown: its last ones.
_TAIL_CHARS = 1500
#: How long a failure is deferred at most, in seconds.
PATIENCE_S = 5.0
#: The same for a task that the kernel runs again in the next job in any case.
KNOWN_PATIENCE_S = 2.0
#: If the scheduler reports this long after the loss that the job runs, in seconds, the job is not the reason.
CERTAIN_AFTER_S = 1.0
#: How often to check whether the scheduler has to be queried, in seconds.
_CHECK_S = 0.25

_WORDS = {
    JobState.TIMEOUT: "was ended at its walltime",
    JobState.CANCELLED: "was cancelled",
    JobState.SCALED_IN: "was scaled in",
    JobState.COMPLETED: "has ended by itself",
    JobState.FAILED: "has failed",
    JobState.MISSING: "is no longer known to the scheduler",
}
#: Ends that come from the scheduler or from a person: not the fault of a task that ran in the job.
_FROM_OUTSIDE = frozenset({JobState.TIMEOUT, JobState.CANCELLED, JobState.SCALED_IN})


class JobEnd(NamedTuple):
    """How a job ended."""

    job_id: str
    state: JobState
    exit_code: int | None
    message: str | None
    #: The end of its standard error.
    log_tail: str

    @classmethod
    def of(cls, job: KnownJob) -> JobEnd:
        status = job.status
        tail = (status.stderr_summary or "").strip()[-_TAIL_CHARS:]
        return cls(str(job.job_id), status.state, status.exit_code, status.message, tail)

    @property
    def is_from_outside(self) -> bool:
        """Whether the job was ended: at its walltime, or on request."""
        return self.state in _FROM_OUTSIDE

    def __str__(self) -> str:
        text = f"Its job {self.job_id} {_WORDS.get(self.state, 'has ended')}"
        if self.exit_code is not None:
            text += f", exit code {self.exit_code}"
            # Negative codes have meanings of the scheduler's own.
            if self.exit_code > 0 and (meaning := meaning_of_exit(self.exit_code)):
                text += f" ({meaning})"
        if self.message:
            text += f": {self.message}"
        text = text.rstrip(".") + "."
        return f"{text} The end of its stderr:\n{self.log_tail}" if self.log_tail else text


def exception_of(
    failure: Failure, end: JobEnd | None = None, walltime_s: float | None = None
) -> BaseException:
    """Return the exception for a task that the machinery failed, with all known facts. None means unknown."""
    known = asdict(failure)
    if end is not None:
        known |= {"exit_code": end.exit_code, "log_tail": end.log_tail}
    names = ("block", "manager", "exit_code", "signal", "peak_memory", "log_tail")
    details = {name: known[name] for name in names}
    error: BaseException
    if failure.kind == protocol.TIMED_OUT:
        error = AppTimeout(failure.message)
    elif failure.kind == protocol.CANCELLED:
        error = CancelledError(failure.message)
    elif failure.kind == protocol.MANAGER_LOST:
        error = _manager_lost(failure, details, end, walltime_s)
    else:
        kind = WorkerOverMemory if failure.kind == protocol.OVER_MEMORY else WorkerLost
        error = kind(failure.worker, failure.host, failure.message, **details)
    facts = {name: value for name, value in known.items() if value != ""}
    attach(error, stderr_tail=known["log_tail"], **facts)
    return error


def _manager_lost(
    failure: Failure, details: dict[str, Any], end: JobEnd | None, walltime_s: float | None
) -> ManagerLost:
    message = failure.message
    is_job_end = failure.is_job_end
    if end is not None:
        is_job_end = is_job_end or end.is_from_outside
        message = f"{message} {end}"
        details["job_state"] = end.state.name
    if is_job_end and walltime_s is not None and exceeds_walltime(failure, walltime_s):
        is_job_end = False
        message = (
            f"The task had been running for {failure.ran_s:.0f} s when its job ended, and a job of this "
            f"provider has {walltime_s:.0f} s: the task needs a longer walltime. {message}"
        )
    return ManagerLost(failure.manager, failure.host, message, **details, is_job_end=is_job_end)


def exceeds_walltime(failure: Failure, walltime_s: float | None) -> bool:
    """Return whether a task that was lost at the end of a job would be lost in the next job too."""
    return bool(walltime_s and failure.ran_s and failure.ran_s >= MAX_OF_WALLTIME * walltime_s)


class _Lost(NamedTuple):
    task_id: int
    failure: Failure
    lost_s: float


class LostTasks(BlockListener):
    """Fails the tasks that the machinery failed, and defers that for seconds to learn how their jobs ended.

    Any thread may call it. A thread of its own runs while failures are deferred.
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
        """Fail tasks, given their numbers and `Failure` records, or defer that until more is known."""
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
        if failure.kind == protocol.WORKER_LOST:
            self._blocks.process_lost()
        if failure.kind != protocol.MANAGER_LOST or not failure.is_manager_gone:
            return False
        if self._blocks.known_job(failure.block) is None:
            return False
        with self._lock:
            self._deferred.setdefault(failure.block, []).append(_Lost(task_id, failure, time.monotonic()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"{self._label}-lost", daemon=True)
                self._thread.start()
        return True

    def jobs_queried(self) -> None:
        """Check again now: more may be known about the blocks."""
        self._news.set()

    def close(self) -> None:
        """Fail all tasks now: the run ends."""
        with self._lock:
            deferred, self._deferred = self._deferred, {}
            thread = self._thread
        for block, lost in deferred.items():
            self._fail(lost, self._blocks.known_job(block))
        self._news.set()
        threads.join(thread, KNOWN_PATIENCE_S)

    def _run(self) -> None:
        try:
            self._blocks.process_lost()
            while True:
                self._news.clear()
                self._fail_known()
                with self._lock:
                    if not self._deferred:
                        self._thread = None
                        return
                try:
                    self._blocks.poll()
                except Exception:
                    logger.exception("Executor %s: its blocks could not be polled", self._label)
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
        if job is None or job.has_ended:
            return True
        age_s = now_s - lost.lost_s
        if lost.failure.is_job_end:
            is_final = exceeds_walltime(lost.failure, self._walltime_s)
            return age_s >= (PATIENCE_S if is_final else KNOWN_PATIENCE_S)
        runs_on = job.answer_age_s is not None and job.answer_age_s <= age_s - CERTAIN_AFTER_S
        return runs_on or age_s >= PATIENCE_S
