"""Asks a provider for an executor's blocks, looks after them, and gives them back."""

from __future__ import annotations

import logging
import threading
import time

from parsl.executors.blocks.asking_times import AskingTimes
from parsl.executors.blocks.notices import BlockNotices
from parsl.executors.blocks.provider_calls import ProviderCalls
from parsl.executors.blocks.submitter import Submitter
from parsl.executors.blocks.table import BlockTable
from parsl.executors.blocks.views import leave_order
from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    from parsl.executors.blocks.views import BlockActivity, BlockView, EndedBlocks, KnownJob
    from parsl.providers.base import ExecutionProvider
    from parsl.vocabulary.job_states import JobStatus
    from parsl.vocabulary.provider_errors import SubmitException

    class BlockOwner(Protocol):
        """What a keeper needs from the executor whose blocks it keeps."""

        label: str
        wake_poller: Callable[[], None]

        @property
        def keeps_trying(self) -> bool: ...

        def launch_command(self, block_id: str) -> str: ...

        def block_activity(self) -> Mapping[str, BlockActivity] | None: ...

        def note_job_end(self, job_id: object) -> None: ...

        def note_submitted(self, job_id: object) -> None: ...

        def note_polled(self) -> None: ...

        def note_blocks_observed(self, ended: Sequence[str]) -> None: ...


logger = logging.getLogger(__name__)

#: While a job runs that no manager has come from, the scheduler is asked this often at least, in seconds.
STARTING_INTERVAL_S = 10.0

#: While managers are awaited, the provider looks for signs of their jobs this often, in seconds.
SIGNS_INTERVAL_S = 2.0


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
        self._submitter = Submitter(self, owner, self._calls, clock, is_quick=provider.submits_at_once)
        #: What the user has been told.
        self.notices = BlockNotices(owner)
        self._is_closed = False
        self._times = AskingTimes()
        self._next_signs_s = float("-inf")
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

    def jobs_to_cancel(self) -> list[object]:
        """The jobs that are not known to have ended: those that wait first, newest first."""
        with self._lock:
            return self._table.jobs_to_cancel()

    def views(self) -> tuple[BlockView, ...]:
        """Every block that is not known to have ended."""
        with self._lock:
            return self._table.views(self._clock())

    def ended(self) -> EndedBlocks:
        """How blocks have been ending."""
        with self._lock:
            return self._table.ended

    def known_job(self, block_id: str) -> KnownJob | None:
        """What is known about the job of a block; None if there is no such job."""
        with self._lock:
            return self._table.known_job(block_id, self._clock())

    @property
    def refusal(self) -> SubmitException | None:
        """Why the scheduler will never take a block, if it has said so."""
        return self._submitter.refusal

    def is_refused(self) -> bool:
        """Whether the scheduler will never take a block, and none is left."""
        with self._lock:
            return self.refusal is not None and not self._table.usable_blocks()

    def never_run_for_s(self) -> tuple[float, dict[str, JobStatus]]:
        """For how many seconds it has been known that no block can ever run, and what is said of each.

        0 and nothing if one can, or nobody knows.
        """
        with self._lock:
            return self._table.never_run_for_s(self._clock())

    # Starting blocks

    def scale_out(self, count: int, max_live: int | None = None) -> list[str]:
        """Ask for blocks. They are submitted in the background if the provider is not quick.

        Args:
            count: How many.
            max_live: How many blocks that are not known to have ended there may be at most; None for any.

        Returns:
            The new blocks' ids; none when it is closed, or the scheduler will never take any. One that
            could not be submitted has failed.
        """
        with self._lock:
            if self._is_closed or self.refusal is not None:
                return []
            block_ids = self._table.reserve(count, self._clock(), max_live)
            self._submitter.add(block_ids)
        self._submitter.run()
        return block_ids

    def is_wanted(self, block_id: str) -> bool:
        """Whether a block that waits is still to be submitted; for the submitter."""
        with self._lock:
            return not self._is_closed and not self._table.is_leaving(block_id)

    def submitted(self, block_id: str, job_id: object) -> None:
        """Note that the scheduler has taken a block; for the submitter."""
        logger.info("Block %s of executor %s is job %s", block_id, self._owner.label, job_id)
        with self._lock:
            is_to_be_cancelled = self._table.submitted(block_id, job_id)
            has_ended = job_id in self._early_ends
            self._early_ends.discard(job_id)
            self._times.submitted(self._clock())
        self._owner.note_submitted(job_id)
        if is_to_be_cancelled:
            self._cancel([(block_id, job_id)])
        if has_ended:
            self._owner.note_job_end(job_id)
        self._owner.wake_poller()

    def submission_waits(self, block_id: str, reason: str) -> None:
        """Note that a block could not be submitted, and is tried again; for the submitter."""
        with self._lock:
            self._table.submission_waits(block_id, reason)
        self._owner.wake_poller()

    def submission_failed(self, block_id: str, reason: str) -> None:
        """Note that a block will not be submitted; for the submitter."""
        with self._lock:
            self._table.submission_failed(block_id, reason, self._clock())
        self._owner.wake_poller()

    def wait_for_submissions(self, timeout_s: float) -> bool:
        """Wait until no block is being submitted; meant for the end, when none is added.

        Returns:
            Whether that is so.
        """
        return self._submitter.wait(timeout_s)

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
            unsubmitted = [block_id for block_id, _ in leaving if self._submitter.drop(block_id)]
            for block_id in unsubmitted:
                self._table.submission_failed(block_id, GIVEN_BACK, self._clock())
        self._cancel([(block_id, job_id) for block_id, job_id in leaving if job_id is not None])
        return [block_id for block_id, _ in leaving]

    def scale_in_waiting(self) -> list[str]:
        """Give back the blocks whose jobs have not begun, as far as anybody knows."""
        return self.scale_in([view.block_id for view in self.views() if view.state is not JobState.RUNNING])

    def scale_in_all(self) -> list[str]:
        """Give back all blocks: those that wait first, so that none begins on the nodes of the others."""
        return [*self.scale_in_waiting(), *self.scale_in([view.block_id for view in self.views()])]

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
            self._times.signed()

    # Looking after blocks

    def poll(self) -> None:
        """Bring what is known up to date: by the managers, and by the scheduler when that is due."""
        self._submitter.run()
        self._look_for_signs()
        with self._lock:
            is_due = self._times.take_due(self._clock(), self._interval_s())
        if is_due:
            self.query()
        else:
            self._observe_activity()
        with self._lock:
            overdue = self._table.overdue_cancels(self._clock())
        self._cancel(overdue)
        self._owner.note_polled()

    def due_in_s(self) -> float:
        """In how many seconds there is something to poll for, if nothing happens."""
        with self._lock:
            now_s = self._clock()
            waits_s = [self._times.due_in_s(now_s)] if self._table.jobs() else []
            if (wait_s := self._submitter.due_in_s(now_s)) is not None:
                waits_s.append(wait_s)
            if self._table.awaited_jobs():
                waits_s.append(max(0.0, self._next_signs_s - now_s))
        return min(waits_s, default=float("inf"))

    def query(self) -> None:
        """Ask the scheduler now about all jobs that are not known to have ended."""
        with self._lock:
            jobs = self._table.jobs()
        answers = self._calls.status([job_id for _, job_id in jobs]) if jobs else ()
        self._observe_activity()
        with self._lock:
            now_s = self._clock()
            ended = [
                block_id
                for (block_id, _), status in zip(jobs, answers, strict=True)
                if self._table.observe_status(block_id, status, now_s)
            ]
            held = self._table.held()
        self.notices.tell_held(held)
        self._owner.note_blocks_observed(ended)

    def note_job_end(self, job_id: object) -> None:
        """Note that a job is known to have ended: the provider is asked how, at once."""
        with self._lock:
            if not self._table.has_job(job_id):
                self._early_ends.add(job_id)  # its submission has not returned yet
            self._times.reported()
        self._owner.wake_poller()

    def note_connected(self, block_id: str) -> None:
        """Note that a manager of a block has connected, however short it may stay."""
        with self._lock:
            if self._table.connected(block_id, self._clock()):
                self._times.signed()

    def note_trouble(self) -> None:
        """Note that a manager or a worker has gone: perhaps its job has ended."""
        with self._lock:
            self._times.signed()

    def tell_refused(self) -> None:
        """Tell the user, once, that no more blocks will come, though there are some."""
        if self.refusal is not None:
            self.notices.tell_refused(self.refusal)

    def _observe_activity(self) -> None:
        activity = self._owner.block_activity()
        with self._lock:
            is_one_back = self._table.observe_activity(activity, self._clock())
            surplus = self._table.surplus(self._provider.max_blocks) if is_one_back else []
        if surplus:  # another block was asked for in its place
            self.scale_in(surplus)

    def _look_for_signs(self) -> None:
        with self._lock:
            awaited = self._table.awaited_jobs()
            if not awaited or self._clock() < self._next_signs_s:
                return
            self._next_signs_s = self._clock() + SIGNS_INTERVAL_S
        try:
            has_sign = self._provider.has_signs(awaited)
        except Exception:
            logger.exception("%s.has_signs failed", type(self._provider).__name__)
            return
        if has_sign:
            with self._lock:
                self._times.signed()

    def _interval_s(self) -> float:
        """How often to ask when there is no news."""
        interval_s = float(self._provider.status_polling_interval)
        return min(interval_s, STARTING_INTERVAL_S) if self._table.has_starting() else interval_s


#: What is said of a block that was given back before the scheduler knew of it.
GIVEN_BACK = "given back before it was submitted"


def _is_idle(view: BlockView, max_idletime_s: float) -> bool:
    return not view.tasks_held and view.idle_s is not None and view.idle_s >= max_idletime_s
