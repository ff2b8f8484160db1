"""Submits an executor's blocks, follows them, and cancels them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable

from parsl.executors.blocks.changes import BlockChanges
from parsl.executors.blocks.notices import BlockNotices
from parsl.executors.blocks.polling_schedule import PollingSchedule
from parsl.executors.blocks.provider_calls import NoProvider, ProviderCalls
from parsl.executors.blocks.submitter import Submitter
from parsl.executors.blocks.table import BlockTable
from parsl.executors.blocks.views import BlockHistory, BlockOwner, BlockView, KnownJob, scale_in_order
from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import JobsNeverRunError

logger = logging.getLogger(__name__)

#: While no manager of a running job has connected, the scheduler is queried at least this often, in seconds.
STARTING_INTERVAL_S = 10.0

#: While managers are awaited, the provider checks this often whether their jobs began or ended, in seconds.
CHANGES_INTERVAL_S = 2.0

#: When the scheduler has reported for this long that no block can ever run, the tasks fail; in seconds.
NEVER_RUN_PATIENCE_S = 120.0


class BlockListener:
    """Is notified about an executor's blocks, from any thread; its methods must not wait."""

    def job_submitted(self, job_id: object) -> None:
        """The scheduler has accepted a job."""

    def job_ended(self, block_id: str) -> None:
        """The job of a block is known to have ended; may be called twice."""

    def jobs_queried(self) -> None:
        """The scheduler has been queried about all jobs."""

    def blocks_polled(self) -> None:
        """What is known about the blocks is up to date: jobs may have begun or ended."""

    def blocks_changed(self) -> None:
        """Something has changed that decisions about scaling and errors depend on."""


class BlockSet:
    """The blocks of one executor. May be called from any thread.

    One lock guards the table of blocks. It is never held during a call of the provider, which may take long.
    Without a provider there are no blocks: workers are started by other means.
    """

    def __init__(
        self, owner: BlockOwner, provider: ExecutionProvider | None, clock: Callable[[], float]
    ) -> None:
        self._owner = owner
        self._provider = NoProvider() if provider is None else provider
        self._calls = ProviderCalls(self._provider)
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may clean up in the middle
        self._table = BlockTable()
        self._changes = BlockChanges()
        in_caller = self._provider.submits_at_once
        self._submitter = Submitter(self, owner, self._table, self._lock, self._calls, clock, in_caller)
        if provider is None:
            self._submitter.stop()
        #: Whether blocks have been started, and may still be submitted.
        self.is_running = False
        self._has_first = False
        self._schedule = PollingSchedule()
        self._next_changes_s = -math.inf
        self._early_ends: set[object] = set()
        self._listeners: tuple[BlockListener, ...] = ()
        self.notices = BlockNotices(owner)
        #: The number of outstanding tasks that the last scaling decision covers; set by the poller. After
        #: each submission an executor calls :meth:`tasks_added` if it has more.
        self.covered_tasks = math.inf

    def __repr__(self) -> str:
        with self._lock:
            state = ", closed" if self._submitter.is_closed else ""
            return f"<BlockSet {self._owner.label}, {self._table!r}{state}>"

    def add_listener(self, listener: BlockListener) -> None:
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def job_ids(self) -> dict[str, object]:
        """Return the job of every block that has been submitted."""
        with self._lock:
            return self._table.job_ids()

    def statuses(self) -> dict[str, JobStatus]:
        """Return what is known about every block, ended ones included, oldest first."""
        with self._lock:
            return self._table.statuses()

    def jobs_to_cancel(self) -> list[object]:
        """Return the jobs that are not known to have ended: queued ones first, newest first."""
        with self._lock:
            return self._table.jobs_to_cancel()

    def uncancelled_jobs(self) -> list[object]:
        """Return the jobs that are not known to have ended, and whose cancellation was not accepted."""
        with self._lock:
            return self._table.uncancelled_jobs()

    def views(self) -> tuple[BlockView, ...]:
        """Return every block that is not known to have ended."""
        with self._lock:
            return self._table.views(self._clock())

    def history(self) -> BlockHistory:
        with self._lock:
            return self._table.history()

    def known_job(self, block_id: str) -> KnownJob | None:
        """Return what is known about the job of a block; None if there is no such job."""
        with self._lock:
            return self._table.known_job(block_id, self._clock())

    def check(self) -> Exception | None:
        """Return why no block can ever run, if the scheduler reports so.

        If it accepts no more blocks, but some are left, that is shown as a warning.
        """
        with self._lock:
            refusal = self._submitter.refusal
            has_usable = self._table.has_usable()
            never_run_for_s, statuses = self._table.never_run_for_s(self._clock())
        if refusal is not None and not has_usable:
            return refusal
        if never_run_for_s >= NEVER_RUN_PATIENCE_S and self._owner.outstanding():
            reports = "\n".join(f"Block {number}: {status.message}" for number, status in statuses.items())
            return JobsNeverRunError(
                f"The scheduler has reported for {never_run_for_s:.0f} s that no block can ever run. Change "
                f"what the provider requests (nodes, walltime, queue, options):\n{reports}"
            )
        if refusal is not None:
            self.notices.warn_refused(refusal)
        return None

    def open(self) -> None:
        """Accept blocks: managers can connect."""
        self.is_running = not self._submitter.is_closed
        self._provider.on_job_end = self.job_ended

    def start(self) -> list[str]:
        """Submit the first blocks, unless that has been done; return their ids, of failed ones too."""
        with self._lock:
            if self._has_first:
                return []
            self._has_first = True
        self.open()
        return self.scale_out(self._provider.init_blocks)

    def scale_out(self, count: int, max_live: int | None = None) -> list[str]:
        """Submit blocks, in the background unless the provider submits at once; return their ids.

        There are fewer than ``count`` if ``max_live`` blocks are not known to have ended, and none if
        submitting has been stopped or the scheduler refuses all.
        """
        with self._lock:
            if self._submitter.is_closed:
                return []
            block_ids = self._table.reserve(count, self._clock(), max_live)
        self._report_changes()
        self._submitter.run()
        return block_ids

    def stop_submitting(self) -> None:
        """Submit no more blocks, ever; returns at once, even while one is being submitted."""
        self.is_running = False
        self._submitter.stop()

    def wait_for_submissions(self, timeout_s: float) -> None:
        """Wait, after :meth:`stop_submitting`, until a block that is being submitted has its job id."""
        if not self._submitter.wait(timeout_s):
            logger.warning(
                "Executor %s: a submission is still in progress after %g s; its job will be cancelled",
                self._owner.label,
                timeout_s,
            )

    def submitted(self, block_id: str, job_id: object) -> None:
        """Record that the scheduler has accepted a block; called by the submitter."""
        logger.info("Block %s of executor %s is job %s", block_id, self._owner.label, job_id)
        with self._lock:
            must_cancel = self._table.submitted(block_id, job_id)
            has_ended = job_id in self._early_ends
            self._early_ends.discard(job_id)
            self._schedule.job_submitted(self._clock())
        for listener in self._listeners:
            listener.job_submitted(job_id)
        if must_cancel:
            self._cancel([(block_id, job_id)])
        if has_ended:
            self.job_ended(job_id)
        self.changed()

    def choose(self, count: int, min_idle_s: float | None) -> list[str]:
        """Choose blocks to scale in, idle ones first; with ``min_idle_s`` only those idle for that long."""
        views = [view for view in self.views() if not view.is_scaling_in]
        if min_idle_s is not None:
            views = [view for view in views if _is_idle(view, min_idle_s)]
        return [view.block_id for view in scale_in_order(views)[: max(0, count)]]

    def scale_in(self, block_ids: Iterable[str]) -> list[str]:
        """Scale in these blocks, whatever they do; return those that had not ended or begun to scale in."""
        with self._lock:
            chosen = self._table.scale_in(block_ids, self._clock())
        self._report_changes()
        self._cancel([(block_id, job_id) for block_id, job_id in chosen if job_id is not None])
        return [block_id for block_id, _ in chosen]

    def scale_in_idle(self, block_ids: Iterable[str]) -> list[str]:
        """Scale in those of these blocks that are still idle; returns them."""
        return self.scale_in(self._owner.prepare_scale_in(list(block_ids)))

    def cancel_queued(self) -> list[str]:
        """Submit no more blocks, and scale in those whose jobs have not begun; returns these.

        At the end of a run this precedes everything that frees nodes: a queued job would begin on them.
        """
        self.stop_submitting()
        return self.scale_in([view.block_id for view in self.views() if view.state is not JobState.RUNNING])

    def cancel_all(self) -> list[str]:
        """Submit no more blocks, and scale in all, queued ones first; returns them.

        The provider then gives back what they have left behind.
        """
        cancelled = [*self.cancel_queued(), *self.scale_in([view.block_id for view in self.views()])]
        self._calls.close()
        return cancelled

    def _cancel(self, jobs: list[tuple[str, object]]) -> None:
        if not jobs:
            return
        logger.info("Executor %s cancels blocks %s", self._owner.label, [block_id for block_id, _ in jobs])
        answers = self._calls.cancel([job_id for _, job_id in jobs])
        with self._lock:
            for (block_id, _), is_accepted in zip(jobs, answers, strict=True):
                self._table.cancel_answered(block_id, is_accepted, self._clock())
            self._schedule.event()
        self._report_changes()

    def poll(self) -> None:
        """Update what is known: from the managers, and from the scheduler when that is due."""
        self._submitter.run()
        self._check_for_changes()
        with self._lock:
            if self._provider.has_leftovers:
                self._schedule.request_query(self._clock(), self._interval_s())
            is_due = self._schedule.take_due(self._clock(), self._interval_s())
        if is_due:
            self.query()
        else:
            self._observe_activity()
        with self._lock:
            overdue = self._table.overdue_cancels(self._clock())
        self._cancel(overdue)
        for listener in self._listeners:
            listener.blocks_polled()

    def due_in_s(self) -> float:
        """Return in how many seconds to call :meth:`poll` again if nothing happens."""
        with self._lock:
            now_s = self._clock()
            due_in_s = self._submitter.due_in_s(now_s)
            if self._table.live_jobs() or self._provider.has_leftovers:
                due_in_s = min(due_in_s, self._schedule.due_in_s(now_s))
            if self._table.awaited_jobs():
                due_in_s = min(due_in_s, max(0.0, self._next_changes_s - now_s))
        return due_in_s

    def query(self) -> None:
        """Query the scheduler now about all jobs that are not known to have ended."""
        with self._lock:
            jobs = self._table.live_jobs()
        is_needed = bool(jobs) or self._provider.has_leftovers
        answers = self._calls.status([job_id for _, job_id in jobs]) if is_needed else ()
        self._observe_activity()
        with self._lock:
            now_s = self._clock()
            answered = {block_id: status for (block_id, _), status in zip(jobs, answers, strict=True)}
            observe = self._table.observe_status
            ended = [block_id for block_id, status in answered.items() if observe(block_id, status, now_s)]
            held = self._table.held()
        self._report_changes()
        self.notices.warn_held(held)
        for listener in self._listeners:
            for block_id in ended:
                listener.job_ended(block_id)
            listener.jobs_queried()

    def _observe_activity(self) -> None:
        activity = self._owner.block_activity()
        with self._lock:
            is_one_back = self._table.observe_activity(activity, self._clock())
            surplus = self._table.surplus(self._provider.max_blocks) if is_one_back else []
        self._report_changes()
        if surplus:  # a block that counted as lost is back, and has been replaced
            self.scale_in(surplus)

    def _check_for_changes(self) -> None:
        with self._lock:
            awaited = self._table.awaited_jobs()
            if not awaited or self._clock() < self._next_changes_s:
                return
            self._next_changes_s = self._clock() + CHANGES_INTERVAL_S
        if self._calls.have_changed(awaited):
            with self._lock:
                self._schedule.event()

    def _interval_s(self) -> float:
        interval_s = float(self._provider.status_polling_interval)
        return min(interval_s, STARTING_INTERVAL_S) if self._table.has_starting() else interval_s

    def job_ended(self, job_id: object) -> None:
        """Record that a job has ended. The scheduler is queried at once to find out how."""
        with self._lock:
            block_id = self._table.block_of(job_id)
            if block_id is None:
                self._early_ends.add(job_id)  # its submission has not returned yet
            self._schedule.job_ended()
        if block_id is not None:
            for listener in self._listeners:
                listener.job_ended(block_id)
        self.changed()

    def manager_connected(self, block_id: str) -> None:
        """A manager of a block has connected, however briefly."""
        with self._lock:
            if self._table.manager_connected(block_id, self._clock()):
                self._schedule.event()
        self.changed()

    def process_lost(self) -> None:
        """A manager or a worker was lost: perhaps a job is ending."""
        with self._lock:
            self._schedule.event()
        self.changed()

    def tasks_added(self, outstanding: int) -> None:
        if outstanding > self.covered_tasks:
            self.covered_tasks = math.inf
            self.changed()

    def changed(self) -> None:
        self._report_changes()
        for listener in self._listeners:
            listener.blocks_changed()

    def _report_changes(self) -> None:
        """Notify the observer of each block that has changed; under the lock, so in the true order."""
        with self._lock:
            for block in self._changes.take(self._table.take_touched(), time.time()):
                self._owner.observer.block_changed(self._owner.label, block)


def _is_idle(view: BlockView, min_idle_s: float) -> bool:
    return not view.tasks_held and view.idle_s is not None and view.idle_s >= min_idle_s
