"""Submits the blocks that wait for it: in a thread of its own where a scheduler takes its time."""

from __future__ import annotations

import logging
import threading

from parsl.executors.blocks.submission_queue import SubmissionQueue
from parsl.vocabulary.provider_errors import SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from parsl.executors.blocks.keeper import BlockKeeper, BlockOwner
    from parsl.executors.blocks.provider_calls import ProviderCalls

logger = logging.getLogger(__name__)


class Submitter:
    """Submits blocks one after another; one thread at a time does so. May be called from any thread.

    A failure that may pass makes the blocks wait, a refusal for good ends all of it.

    Args:
        keeper: What is told what became of each block.
        owner: The executor.
        calls: The provider.
        clock: Gives the time, in seconds.
        is_quick: Whether whoever runs it waits for the submissions. If not, a thread of its own does;
            Python does not end before that has, so that every job is known that has been submitted.
    """

    def __init__(
        self,
        keeper: BlockKeeper,
        owner: BlockOwner,
        calls: ProviderCalls,
        clock: Callable[[], float],
        *,
        is_quick: bool,
    ) -> None:
        self._keeper = keeper
        self._owner = owner
        self._calls = calls
        self._clock = clock
        self._is_quick = is_quick
        self._lock = threading.RLock()
        self._queue = SubmissionQueue()
        self._is_running = False
        self._thread: threading.Thread | None = None
        #: Why the scheduler will never take a block, if it has said so.
        self.refusal: SubmitException | None = None

    def __repr__(self) -> str:
        return f"<Submitter {self._owner.label}, {self._queue!r}>"

    def add(self, block_ids: Iterable[str]) -> None:
        """Have blocks submitted when :meth:`run` is called next."""
        with self._lock:
            self._queue.add(block_ids)

    def drop(self, block_id: str) -> bool:
        """Forget a block that still waits. Returns whether it did."""
        with self._lock:
            return self._queue.drop(block_id)

    def due_in_s(self, now_s: float) -> float | None:
        """In how many seconds to call :meth:`run` again; None if there is no need."""
        with self._lock:
            return None if self._is_running else self._queue.due_in_s(now_s)

    def run(self) -> None:
        """Submit what waits and whose time has come, unless that is going on already."""
        with self._lock:
            if self._is_running or self._queue.due_in_s(self._clock()) != 0.0:
                return
            self._is_running = True
        if self._is_quick or not self._start_thread():
            self._submit_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the thread, if there is one. Returns whether nothing is being submitted."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        return not self._is_running

    def _start_thread(self) -> bool:
        name = f"{self._owner.label}-submit"
        self._thread = threading.Thread(target=self._submit_all, name=name, daemon=False)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is at its end, and starts no threads any more
            self._thread = None
        return self._thread is not None

    def _submit_all(self) -> None:
        block_id: str | None = None
        try:
            while (block_id := self._take()) is not None:
                self._submit(block_id)
        except BaseException as error:  # Ctrl-C is no reason to wait for ever for blocks that nobody submits
            with self._lock:
                self._is_running = False
                left = [*([block_id] if block_id is not None else []), *self._queue.clear()]
            if isinstance(error, KeyboardInterrupt):
                self._fail(left, "interrupted before it was submitted")
                raise
            logger.critical("Executor %s: submitting blocks has failed", self._owner.label, exc_info=True)
            self._fail(left, _reason(error))
            if threading.current_thread() is not self._thread:
                raise

    def _take(self) -> str | None:
        with self._lock:
            block_id = self._queue.take(self._clock())
            self._is_running = block_id is not None
            return block_id

    def _submit(self, block_id: str) -> None:
        if not self._keeper.is_wanted(block_id):
            self._keeper.scale_in([block_id])
            self._keeper.submission_failed(block_id, "given back before it was submitted")
            return
        try:
            command = self._owner.launch_command(block_id)
            job_id = self._calls.submit(command, f"parsl.{self._owner.label}.block-{block_id}")
        except SubmitException as error:
            self._not_taken(block_id, error)
        except Exception as error:
            logger.exception("Block %s of executor %s could not be submitted", block_id, self._owner.label)
            self._fail([block_id], _reason(error))
        else:
            with self._lock:
                self._queue.succeeded()
            self._keeper.submitted(block_id, job_id)

    def _not_taken(self, block_id: str, error: SubmitException) -> None:
        """The scheduler has not taken a block."""
        label = self._owner.label
        with self._lock:
            if error.is_permanent and not self._owner.keeps_trying:
                self.refusal = error
                given_up = [block_id, *self._queue.clear()]
            else:
                given_up = self._queue.failed(block_id, self._clock())
            wait_s = self._queue.due_in_s(self._clock()) or 0.0
        if given_up:
            logger.error("Executor %s gives %d blocks up: %s", label, len(given_up), error)
            self._fail(given_up, _reason(error))
            return
        logger.warning("Block %s of executor %s is tried again in %g s: %s", block_id, label, wait_s, error)
        self._keeper.submission_waits(block_id, f"not submitted yet, and tried again. {error}")

    def _fail(self, block_ids: Iterable[str], reason: str) -> None:
        for block_id in block_ids:
            self._keeper.submission_failed(block_id, reason)


def _reason(error: BaseException) -> str:
    return f"The block could not be submitted: {type(error).__name__}: {error}"
