"""Asks a provider for an executor's blocks, looks after them, and gives them back."""

from __future__ import annotations

import logging
import threading
import time

from parsl.executors.block_table import BlockTable
from parsl.executors.blocks import leave_order
from parsl.executors.provider_calls import ProviderCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    from parsl.executors.blocks import BlockActivity, BlockView, EndedBlocks
    from parsl.jobs.states import JobStatus
    from parsl.providers.base import ExecutionProvider

    class BlockOwner(Protocol):
        """What a keeper needs from the executor whose blocks it keeps."""

        label: str
        wake_poller: Callable[[], None]

        def launch_command(self, block_id: str) -> str: ...

        def block_activity(self) -> Mapping[str, BlockActivity] | None: ...

        def note_job_end(self, job_id: object) -> None: ...


logger = logging.getLogger(__name__)

#: News that only hint at a job's end (a manager was lost) make it ask the scheduler at most this often,
#: in seconds.
SUSPICION_GAP_S = 1.0

#: After a submission it first asks after this many seconds, then each time after twice as many, up to the
#: provider's interval: a job that fails at once is noticed soon.
FRESH_GAP_S = 2.0


class BlockKeeper:
    """Keeps the blocks of one executor. May be called from any thread.

    One lock guards the table of blocks. The provider is only called without it, as that may take long.

    Args:
        owner: The executor.
        provider: Where its blocks come from.
        clock: Gives the time, in seconds.
    """

    def __init__(
        self, owner: BlockOwner, provider: ExecutionProvider, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._owner = owner
        self._provider = provider
        self._calls = ProviderCalls(provider)
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may clean up in the middle
        self._table = BlockTable()
        self._is_closed = False
        self._next_query_s = float("-inf")
        self._next_suspicion_s = float("-inf")
        self._gap_s = FRESH_GAP_S
        self._is_end_reported = False
        self._is_end_suspected = False
        self._early_ends: set[object] = set()

    def __repr__(self) -> str:
        with self._lock:
            return (
                f"<BlockKeeper {self._owner.label}, {self._table!r}{', closed' if self._is_closed else ''}>"
            )

    # What is known

    def blocks_to_job_id(self) -> dict[str, object]:
        """The job of every block that has been submitted."""
        with self._lock:
            return self._table.blocks_to_job_id()

    def statuses(self) -> dict[str, JobStatus]:
        """What is known about every block, ended ones included, oldest first."""
        with self._lock:
            return self._table.statuses()

    def views(self) -> tuple[BlockView, ...]:
        """Every block that is not known to have ended."""
        with self._lock:
            return self._table.views(self._clock())

    def ended(self) -> EndedBlocks:
        """How blocks have been ending."""
        with self._lock:
            return self._table.ended

    # Starting blocks

    def scale_out(self, count: int, max_live: int | None = None) -> list[str]:
        """Ask for blocks.

        Args:
            count: How many.
            max_live: How many blocks that are not known to have ended there may be at most; None for any.

        Returns:
            The new blocks' ids; none when it is closed. One that could not be submitted has failed.
        """
        with self._lock:
            if self._is_closed:
                return []
            block_ids = self._table.reserve(count, self._clock(), max_live)
        waiting = list(reversed(block_ids))
        try:
            while waiting:
                self._submit(waiting[-1])
                waiting.pop()
        finally:  # Ctrl-C is no reason to wait for ever for blocks that nobody submits
            for block_id in waiting:
                self._submission_failed(block_id, "interrupted before it was submitted")
        return block_ids

    def _submit(self, block_id: str) -> None:
        if self._is_closed:
            self.scale_in([block_id])
            self._submission_failed(block_id, "given back before it was submitted")
            return
        try:
            command = self._owner.launch_command(block_id)
            job_id = self._calls.submit(command, f"parsl.{self._owner.label}.block-{block_id}")
        except Exception as error:
            logger.exception("Block %s of executor %s could not be submitted", block_id, self._owner.label)
            reason = f"The block could not be submitted: {type(error).__name__}: {error}"
            self._submission_failed(block_id, reason)
            return
        logger.info("Block %s of executor %s is job %s", block_id, self._owner.label, job_id)
        self._submitted(block_id, job_id)

    def _submitted(self, block_id: str, job_id: object) -> None:
        with self._lock:
            is_to_be_cancelled = self._table.submitted(block_id, job_id)
            has_ended = job_id in self._early_ends
            self._early_ends.discard(job_id)
            self._gap_s = FRESH_GAP_S
            self._next_query_s = min(self._next_query_s, self._clock() + FRESH_GAP_S)
        if is_to_be_cancelled:
            self._cancel([(block_id, job_id)])
        if has_ended:
            self._owner.note_job_end(job_id)

    def _submission_failed(self, block_id: str, reason: str) -> None:
        with self._lock:
            self._table.submission_failed(block_id, reason, self._clock())
        self._owner.wake_poller()

    # Giving blocks back

    def choose_leaving(self, count: int, max_idletime_s: float | None) -> list[str]:
        """Choose blocks to give back, idle ones first.

        Args:
            count: How many at most.
            max_idletime_s: Only those that have been idle for so long, in seconds; None for any.
        """
        candidates = [
            view
            for view in self.views()
            if not view.is_leaving and (max_idletime_s is None or _is_idle(view, max_idletime_s))
        ]
        return [view.block_id for view in leave_order(candidates)[: max(0, count)]]

    def scale_in(self, block_ids: Iterable[str]) -> list[str]:
        """Give back exactly these blocks.

        Returns:
            Those of them that had not ended and were not being given back already.
        """
        with self._lock:
            leaving = self._table.leave(block_ids, self._clock())
        self._cancel([(block_id, job_id) for block_id, job_id in leaving if job_id is not None])
        return [block_id for block_id, _ in leaving]

    def scale_in_all(self) -> list[str]:
        """Give back all blocks."""
        return self.scale_in([view.block_id for view in self.views()])

    def close(self) -> None:
        """Ask for no more blocks, ever. Those that there are stay."""
        with self._lock:
            self._is_closed = True

    def _cancel(self, jobs: list[tuple[str, object]]) -> None:
        if not jobs:
            return
        logger.info("Executor %s gives back blocks %s", self._owner.label, [block_id for block_id, _ in jobs])
        answers = self._calls.cancel([job_id for _, job_id in jobs])
        with self._lock:
            for (block_id, _), is_accepted in zip(jobs, answers, strict=True):
                self._table.cancel_answered(block_id, is_accepted, self._clock())
        self._is_end_suspected = True

    # Looking after blocks

    def poll(self) -> None:
        """Bring what is known up to date: by the managers, and by the scheduler when that is due."""
        if self._take_query_due():
            self.query()
        else:
            self._observe_activity()
        with self._lock:
            overdue = self._table.overdue_cancels(self._clock())
        self._cancel(overdue)

    def query(self) -> None:
        """Ask the scheduler now about all jobs that are not known to have ended."""
        with self._lock:
            jobs = self._table.jobs()
        answers = self._calls.status([job_id for _, job_id in jobs]) if jobs else ()
        self._observe_activity()
        with self._lock:
            for (block_id, _), status in zip(jobs, answers, strict=True):
                self._table.observe_status(block_id, status, self._clock())

    def note_job_end(self, job_id: object) -> None:
        """Note that a job is known to have ended: the provider is asked how, at once."""
        with self._lock:
            if not self._table.has_job(job_id):
                self._early_ends.add(job_id)  # its submission has not returned yet
        self._is_end_reported = True
        self._owner.wake_poller()

    def note_connected(self, block_id: str) -> None:
        """Note that a manager of a block has connected, however short it may stay."""
        with self._lock:
            self._table.connected(block_id, self._clock())

    def note_manager_lost(self) -> None:
        """Note that a manager has gone: perhaps its job has ended."""
        self._is_end_suspected = True

    def _observe_activity(self) -> None:
        activity = self._owner.block_activity()
        with self._lock:
            self._table.observe_activity(activity, self._clock())

    def _take_query_due(self) -> bool:
        """Whether the scheduler is to be asked now; if so, notes that it is."""
        now_s = self._clock()
        is_suspected = self._is_end_suspected and now_s >= self._next_suspicion_s
        if not (self._is_end_reported or is_suspected or now_s >= self._next_query_s):
            return False
        self._is_end_reported = self._is_end_suspected = False
        interval_s = self._provider.status_polling_interval
        self._next_query_s = now_s + min(interval_s, self._gap_s)
        self._gap_s = min(interval_s, 2 * self._gap_s)
        self._next_suspicion_s = now_s + min(SUSPICION_GAP_S, interval_s)
        return True


def _is_idle(view: BlockView, max_idletime_s: float) -> bool:
    return not view.tasks_held and view.idle_s is not None and view.idle_s >= max_idletime_s
