"""Submits blocks one after another, in a thread of its own where a scheduler takes its time."""

from __future__ import annotations

import logging
import threading
from collections import deque

from parsl.vocabulary.provider_errors import SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from parsl.executors.blocks.provider_calls import ProviderCalls

    class Launching(Protocol):
        """What submissions need from the executor."""

        label: str

        @property
        def keeps_trying(self) -> bool: ...

        def launch_command(self, block_id: str) -> str: ...

    class Submissions(Protocol):
        """The blocks, which are notified of each result."""

        def is_needed(self, block_id: str) -> bool: ...

        def scale_in(self, block_ids: Iterable[str]) -> list[str]: ...

        def submitted(self, block_id: str, job_id: object) -> None: ...

        def submission_delayed(self, block_id: str, reason: str) -> None: ...

        def submission_failed(self, block_id: str, reason: str) -> None: ...


logger = logging.getLogger(__name__)

#: The pause after a submission that failed, in seconds. It doubles with each further failure.
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 30.0

#: When submissions have failed for this long, in seconds, the waiting blocks fail.
PATIENCE_S = 120.0

#: The status of a block that was scaled in before the scheduler knew of it.
NEVER_SUBMITTED = "scaled in before it was submitted"


class SubmissionQueue:
    """Block ids in the order of their submission, and the pause after a failure.

    A temporary failure holds for all blocks: a scheduler that does not accept one job would not accept the
    next one either. Not thread-safe; times are seconds on any one monotonic clock.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._failing_since_s: float | None = None
        self._delay_s = FIRST_DELAY_S
        self._not_before_s = float("-inf")

    def __repr__(self) -> str:
        state = "" if self._failing_since_s is None else ", failing"
        return f"<SubmissionQueue {len(self._waiting)} waiting{state}>"

    def __contains__(self, block_id: str) -> bool:
        return block_id in self._waiting

    def add(self, block_ids: Iterable[str]) -> None:
        """Append blocks."""
        self._waiting.extend(block_ids)

    def take(self, now_s: float) -> str | None:
        """Remove and return the next block; None if the queue is empty or pauses."""
        if not self._waiting or now_s < self._not_before_s:
            return None
        return self._waiting.popleft()

    def due_in_s(self, now_s: float) -> float | None:
        """Return in how many seconds the next block is due; None if the queue is empty."""
        return max(0.0, self._not_before_s - now_s) if self._waiting else None

    def drop(self, block_id: str) -> bool:
        """Remove a block; returns whether it was waiting."""
        if block_id not in self._waiting:
            return False
        self._waiting.remove(block_id)
        return True

    def clear(self) -> list[str]:
        """Remove and return all blocks."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def succeeded(self) -> None:
        """End the pause: a block was submitted."""
        self._failing_since_s = None
        self._delay_s = FIRST_DELAY_S
        self._not_before_s = float("-inf")

    def failed(self, block_id: str, now_s: float) -> list[str]:
        """Put a block back that could not be submitted for now, and pause.

        Returns:
            The blocks that fail because this has gone on for too long: this one and all others, or none.
        """
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        self._not_before_s = now_s + self._delay_s
        self._delay_s = min(MAX_DELAY_S, 2 * self._delay_s)
        self._waiting.appendleft(block_id)
        return self.clear() if now_s - self._failing_since_s >= PATIENCE_S else []


class Submitter:
    """Submits blocks; one thread at a time does so. May be called from any thread.

    After a temporary failure the blocks wait; after a permanent refusal all of them fail.

    Args:
        blocks: The blocks, which are notified of each result.
        owner: The executor.
        calls: The provider.
        clock: Returns the time, in seconds.
        in_caller: Whether the caller of :meth:`run` submits. If not, a thread does; Python waits for that
            thread at its end, so that the id of every submitted job is known.
    """

    def __init__(
        self,
        blocks: Submissions,
        owner: Launching,
        calls: ProviderCalls,
        clock: Callable[[], float],
        *,
        in_caller: bool,
    ) -> None:
        self._blocks = blocks
        self._owner = owner
        self._calls = calls
        self._clock = clock
        self._in_caller = in_caller
        self._lock = threading.RLock()
        self._queue = SubmissionQueue()
        self._is_running = False
        self._thread: threading.Thread | None = None
        #: Why the scheduler will never accept a block; None as long as it may.
        self.refusal: SubmitException | None = None

    def __repr__(self) -> str:
        return f"<Submitter {self._owner.label}, {self._queue!r}>"

    def add(self, block_ids: Iterable[str]) -> None:
        """Queue blocks for the next call of :meth:`run`."""
        with self._lock:
            self._queue.add(block_ids)

    def drop(self, block_id: str) -> bool:
        """Remove a block from the queue; returns whether it was waiting."""
        with self._lock:
            return self._queue.drop(block_id)

    def due_in_s(self, now_s: float) -> float | None:
        """Return in how many seconds :meth:`run` has something to do; None if there is nothing."""
        with self._lock:
            return None if self._is_running else self._queue.due_in_s(now_s)

    def run(self) -> None:
        """Submit the blocks that are due, unless another thread is doing so."""
        with self._lock:
            if self._is_running or self._queue.due_in_s(self._clock()) != 0.0:
                return
            self._is_running = True
        if self._in_caller or not self._start_thread():
            self._submit_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the thread, if there is one; returns whether no block is being submitted."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
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
        block_id: str | None = None
        try:
            while (block_id := self._take()) is not None:
                self._submit(block_id)
        except BaseException as error:  # without this, blocks would stay pending for ever after Ctrl-C
            with self._lock:
                self._is_running = False
                unsubmitted = [*([] if block_id is None else [block_id]), *self._queue.clear()]
            if isinstance(error, KeyboardInterrupt):
                self._fail(unsubmitted, "interrupted before it was submitted")
                raise
            logger.critical("Executor %s: submitting blocks has failed", self._owner.label, exc_info=True)
            self._fail(unsubmitted, _reason(error))
            if threading.current_thread() is not self._thread:
                raise

    def _take(self) -> str | None:
        with self._lock:
            block_id = self._queue.take(self._clock())
            self._is_running = block_id is not None
            return block_id

    def _submit(self, block_id: str) -> None:
        label = self._owner.label
        if not self._blocks.is_needed(block_id):
            self._blocks.scale_in([block_id])
            self._fail([block_id], NEVER_SUBMITTED)
            return
        try:
            command = self._owner.launch_command(block_id)
            job_id = self._calls.submit(command, f"parsl.{label}.block-{block_id}")
        except SubmitException as error:
            self._refused(block_id, error)
        except Exception as error:
            logger.exception("Block %s of executor %s could not be submitted", block_id, label)
            self._fail([block_id], _reason(error))
        else:
            with self._lock:
                self._queue.succeeded()
            self._blocks.submitted(block_id, job_id)

    def _refused(self, block_id: str, error: SubmitException) -> None:
        label = self._owner.label
        with self._lock:
            if error.is_permanent and not self._owner.keeps_trying:
                self.refusal = error
                failed = [block_id, *self._queue.clear()]
            else:
                failed = self._queue.failed(block_id, self._clock())
            wait_s = self._queue.due_in_s(self._clock()) or 0.0
        if failed:
            logger.error("Executor %s gives up %d blocks: %s", label, len(failed), error)
            self._fail(failed, _reason(error))
            return
        logger.warning("Block %s of executor %s is tried again in %g s: %s", block_id, label, wait_s, error)
        self._blocks.submission_delayed(block_id, f"not submitted yet, and tried again. {error}")

    def _fail(self, block_ids: Iterable[str], reason: str) -> None:
        for block_id in block_ids:
            self._blocks.submission_failed(block_id, reason)


def _reason(error: BaseException) -> str:
    return f"The block could not be submitted: {type(error).__name__}: {error}"
