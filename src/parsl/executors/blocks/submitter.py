"""Submits blocks one after another, in a thread of its own if the scheduler is slow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parsl.common import threads
from parsl.common.representation import rounded_s
from parsl.executors.blocks.provider_calls import ProviderCalls
from parsl.executors.blocks.table import BlockTable
from parsl.executors.blocks.views import BlockOwner
from parsl.vocabulary.provider_errors import SubmitException

logger = logging.getLogger(__name__)

#: The pause after a submission that failed, in seconds. It doubles with each further failure.
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0

#: When submissions have failed for this long, in seconds, the blocks that wait fail.
PATIENCE_S = 120.0


class Submissions(Protocol):
    """What is notified of the results."""

    def submitted(self, block_id: str, job_id: object) -> None: ...

    def changed(self) -> None: ...


class SubmissionPause:
    """The pause after a submission that failed temporarily.

    It holds for all blocks: a scheduler that does not accept one job would not accept the next one either.
    Not thread-safe; times are seconds on any one monotonic clock.
    """

    def __init__(self) -> None:
        self.succeeded()

    def left_s(self, now_s: float) -> float:
        return max(0.0, self._not_before_s - now_s)

    def succeeded(self) -> None:
        self._failing_since_s: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._not_before_s = float("-inf")

    def failed(self, now_s: float) -> bool:
        """Begin a pause; returns whether submissions have failed for too long."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._not_before_s = now_s + self._pause_s
        self._pause_s = min(MAX_PAUSE_S, 2 * self._pause_s)
        return now_s - self._failing_since_s >= PATIENCE_S


@dataclass(eq=False)
class Submitter:
    """Submits blocks; one thread at a time does so. May be called from any thread.

    After a temporary failure the blocks wait; after a permanent refusal all of them fail. The lock guards the
    table. Unless the caller of :meth:`run` submits (``_in_caller``), a thread does; Python waits for that
    thread at its end, so that the id of every submitted job is known.
    """

    _blocks: Submissions
    _owner: BlockOwner
    _table: BlockTable
    _lock: threading.RLock
    _calls: ProviderCalls
    _clock: Callable[[], float]
    _in_caller: bool
    _pause: SubmissionPause = field(default_factory=SubmissionPause)
    _is_running: bool = False
    _thread: threading.Thread | None = None
    _is_stopped: bool = False
    #: Why the scheduler will never accept a block; None as long as it may.
    refusal: SubmitException | None = None

    def __repr__(self) -> str:
        return f"<Submitter {self._owner.label}{', running' if self._is_running else ''}>"

    @property
    def is_closed(self) -> bool:
        return self._is_stopped or self.refusal is not None

    def stop(self) -> None:
        """Submit no more blocks, ever; returns at once, even while one is being submitted."""
        with self._lock:
            self._is_stopped = True

    def due_in_s(self, now_s: float) -> float:
        """Return in how many seconds to call :meth:`run` again."""
        with self._lock:
            is_idle = self._is_running or not self._table.unsubmitted()
            return float("inf") if is_idle else self._pause.left_s(now_s)

    def run(self) -> None:
        """Submit the blocks that wait, unless another thread does so or there is a pause."""
        with self._lock:
            if self.due_in_s(self._clock()):
                return
            self._is_running = True
        if self._in_caller or not self._start_thread():
            self._submit_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the thread, if there is one; returns whether no block is being submitted."""
        threads.join(self._thread, timeout_s)
        return not self._is_running

    def _start_thread(self) -> bool:
        name = f"{self._owner.label}-submit"
        self._thread = threading.Thread(target=self._submit_all, name=name, daemon=False)
        try:
            self._thread.start()
        except RuntimeError:  # an interpreter that is exiting starts no threads
            self._thread = None
        return self._thread is not None

    def _submit_all(self) -> None:
        try:
            while (block_id := self._take()) is not None:
                self._submit(block_id)
        except BaseException as error:  # without this, blocks would stay pending for ever after Ctrl-C
            with self._lock:
                self._is_running = False
            if isinstance(error, KeyboardInterrupt):
                self._fail_all("interrupted before it was submitted")
                raise
            logger.critical("Executor %s could not submit blocks", self._owner.label, exc_info=True)
            self._fail_all(_reason(error))
            if threading.current_thread() is not self._thread:
                raise

    def _take(self) -> str | None:
        with self._lock:
            if self._is_stopped:
                self._table.scale_in(self._table.unsubmitted(), self._clock())
            block_id = None if self._pause.left_s(self._clock()) else self._table.take_unsubmitted()
            self._is_running = block_id is not None
            return block_id

    def _submit(self, block_id: str) -> None:
        label = self._owner.label
        try:
            command = self._owner.launch_command(block_id)
            job_id = self._calls.submit(command, f"parsl.{label}.block-{block_id}")
        except SubmitException as error:
            self._refused(block_id, error)
        except Exception as error:
            logger.exception("Block %s of executor %s could not be submitted", block_id, label)
            with self._lock:
                self._table.submission_failed(block_id, _reason(error), self._clock())
            self._blocks.changed()
        else:
            with self._lock:
                self._pause.succeeded()
            self._blocks.submitted(block_id, job_id)

    def _refused(self, block_id: str, error: SubmitException) -> None:
        label = self._owner.label
        with self._lock:
            now_s = self._clock()
            if error.is_permanent and not self._owner.keeps_trying:
                self.refusal = error
            gives_up = self.refusal is not None or self._pause.failed(now_s)
            pause_s = self._pause.left_s(now_s)
            if not gives_up:
                message = f"not submitted yet; another attempt follows. {error}"
                self._table.submission_delayed(block_id, message, now_s)
        if gives_up:
            logger.error("Executor %s gives up its unsubmitted blocks: %s", label, error)
            self._fail_all(_reason(error))
            return
        pause = rounded_s(pause_s)
        logger.warning(
            "Block %s of executor %s will be submitted again in %s: %s", block_id, label, pause, error
        )
        self._blocks.changed()

    def _fail_all(self, reason: str) -> None:
        with self._lock:
            self._table.fail_unsubmitted(reason, self._clock())
        self._blocks.changed()


def _reason(error: BaseException) -> str:
    return f"The block could not be submitted: {type(error).__name__}: {error}"
