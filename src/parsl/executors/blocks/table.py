"""The blocks of one executor: what is known about each, and what follows from it.

This module decides without a lock, clock or scheduler: :class:`BlockTable` is passed what happened and when.
:class:`parsl.executors.blocks.block_set.BlockSet` owns a table, guards it, and acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parsl.executors.blocks.views import BlockActivity, BlockHistory, BlockView, KnownJob
from parsl.vocabulary.job_states import JobState, JobStatus

#: A block whose managers have been connected for this long has shown that blocks work here; in seconds.
PROVEN_AFTER_S = 10.0

#: When a job that was cancelled has still not ended it is cancelled again; in seconds after a cancellation
#: that the scheduler accepted, and after one that it refused.
RECANCEL_AFTER_S = 60.0
RECANCEL_REFUSED_AFTER_S = 10.0

_NEVER_SUBMITTED = "scaled in before it was submitted"

_NO_MANAGER_CONNECTED = (
    "The job ended by itself before any manager of it had connected. Does the launch command start one, "
    "in the foreground? What it wrote is below, or in the job's stdout and stderr."
)


@dataclass(eq=False, slots=True)
class Block:
    """One block, from its reservation to the end of its job."""

    block_id: str
    reserved_s: float
    job_id: object = None
    status: JobStatus = field(default_factory=lambda: JobStatus(JobState.PENDING, message="being submitted"))
    is_submitting: bool = False
    activity: BlockActivity | None = None
    #: When the first manager connected; for an executor without managers, when the job began.
    up_since_s: float | None = None
    is_proven: bool = False
    #: Whether the block is being scaled in: it no longer counts as capacity, and always ends as SCALED_IN.
    is_scaling_in: bool = False
    cancel_is_accepted: bool = False
    cancel_again_s: float = 0.0
    #: When the scheduler last answered about the job.
    answered_s: float | None = None
    #: Since when the scheduler has been reporting that the job can never run.
    never_runs_since_s: float | None = None

    def __repr__(self) -> str:
        return f"<Block {self.block_id} job={self.job_id!r} {self.status.state.name}>"

    @property
    def shown_status(self) -> JobStatus:
        """The status with SCALED_IN from the moment on at which the scheduler has accepted the cancellation.

        The job may go on for a while; until it ends the block counts as live.
        """
        return _with_state(self.status, JobState.SCALED_IN) if self.cancel_is_accepted else self.status

    def view(self, now_s: float, activity_is_known: bool) -> BlockView:
        state, age_s = self.status.state, now_s - self.reserved_s
        if not activity_is_known:
            idle_s = None if state is JobState.RUNNING else age_s
            return BlockView(self.block_id, state, idle_s=idle_s, is_scaling_in=self.is_scaling_in)
        managers, tasks, idle_s = 0, 0, age_s
        if (activity := self.activity) is not None:
            managers, tasks = activity.managers, activity.tasks
            idle_s = 0.0 if tasks else activity.idle_s
        return BlockView(self.block_id, state, managers, tasks, idle_s, self.is_scaling_in)


class BlockTable:
    """All blocks that an executor has ever had, by block id ("0", "1", ...).

    Not thread-safe. Times are seconds on any one monotonic clock.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}
        self._live: dict[str, Block] = {}
        self._touched: dict[str, Block] = {}
        self._activity_is_known = False
        self._failures_in_row = 0
        self._last_end_s: float | None = None
        self._have_connected = False

    def __repr__(self) -> str:
        scaling_in = len(self._live) - len(self._staying())
        return f"<BlockTable {len(self._blocks)} blocks, {len(self._live)} live, {scaling_in} scaling in>"

    def history(self) -> BlockHistory:
        return BlockHistory(self._failures_in_row, self._last_end_s, self._have_connected)

    def job_ids(self) -> dict[str, object]:
        return {block.block_id: block.job_id for block in self._blocks.values() if block.job_id is not None}

    def statuses(self) -> dict[str, JobStatus]:
        """Return the status of every block as it is shown, ended ones included, oldest first."""
        return {block_id: block.shown_status for block_id, block in self._blocks.items()}

    def take_touched(self) -> list[Block]:
        """Return the blocks whose state, job or message may have changed since the last call."""
        touched, self._touched = self._touched, {}
        return list(touched.values())

    def _touch(self, block: Block) -> None:
        self._touched[block.block_id] = block

    def views(self, now_s: float) -> tuple[BlockView, ...]:
        return tuple(block.view(now_s, self._activity_is_known) for block in self._live.values())

    def live_jobs(self) -> list[tuple[str, object]]:
        """Return (block id, job id) of every block whose job is not known to have ended."""
        return [(block.block_id, block.job_id) for block in self._live.values() if block.job_id is not None]

    def jobs_to_cancel(self) -> list[object]:
        jobs = [block for block in reversed(self._live.values()) if block.job_id is not None]
        jobs.sort(key=lambda block: block.status.state is JobState.RUNNING)
        return [block.job_id for block in jobs]

    def uncancelled_jobs(self) -> list[object]:
        """Return the jobs that are not known to have ended, and whose cancellation was not accepted."""
        jobs = (block.job_id for block in self._live.values() if not block.cancel_is_accepted)
        return [job_id for job_id in jobs if job_id is not None]

    def awaited_jobs(self) -> list[object]:
        """Return the jobs whose first manager may still connect."""
        if not self._activity_is_known:
            return []
        awaited = (block for block in self._staying() if block.up_since_s is None)
        return [block.job_id for block in awaited if block.job_id is not None]

    def has_starting(self) -> bool:
        """Return whether a job is running without a connected manager so far."""
        return self._activity_is_known and any(
            block.status.state is JobState.RUNNING and block.up_since_s is None
            for block in self._live.values()
        )

    def has_usable(self) -> bool:
        return bool(self._staying())

    def held(self) -> list[tuple[object, JobStatus]]:
        """Return (job id, status) of every block that will not start until it is released."""
        blocks = (block for block in self._staying() if block.status.state is JobState.HELD)
        return [(block.job_id, block.status) for block in blocks]

    def never_run_for_s(self, now_s: float) -> tuple[float, dict[str, JobStatus]]:
        """Return for how long no block has been able to run, in seconds, and the status of each.

        Without blocks, or if one may run, that is 0 and nothing.
        """
        waiting = self._staying()
        since_s = [block.never_runs_since_s for block in waiting if block.never_runs_since_s is not None]
        if not waiting or len(since_s) < len(waiting):
            return 0.0, {}
        return now_s - max(since_s), {block.block_id: block.status for block in waiting}

    def known_job(self, block_id: str, now_s: float) -> KnownJob | None:
        block = self._blocks.get(block_id)
        if block is None or block.job_id is None:
            return None
        answer_age_s = None if block.answered_s is None else now_s - block.answered_s
        return KnownJob(block.job_id, block.status, block_id not in self._live, answer_age_s)

    def block_of(self, job_id: object) -> str | None:
        """Return the block of a job; None if no submission has returned this job id."""
        blocks = (block for block in reversed(self._blocks.values()) if block.job_id == job_id)
        return next((block.block_id for block in blocks), None)

    def surplus(self, limit: int) -> list[str]:
        """Return the newest blocks whose jobs have not begun, as far as there are more than ``limit``."""
        staying = self._staying()
        waiting = [block.block_id for block in staying if block.status.state is not JobState.RUNNING]
        return waiting[::-1][: max(0, len(staying) - limit)]

    def reserve(self, count: int, now_s: float, max_live: int | None = None) -> list[str]:
        """Add blocks that are about to be submitted, and count from now on; return their ids.

        There are fewer than ``count`` if there would be more than ``max_live`` live blocks.
        """
        if max_live is not None:
            count = min(count, max_live - len(self._live))
        reserved = []
        for _ in range(count):
            block = Block(str(len(self._blocks)), now_s)
            self._blocks[block.block_id] = self._live[block.block_id] = block
            self._touch(block)
            reserved.append(block.block_id)
        return reserved

    def unsubmitted(self) -> list[str]:
        """Return the blocks that wait for their submission, oldest first."""
        waiting = (block for block in self._live.values() if not block.is_submitting)
        return [block.block_id for block in waiting if block.job_id is None]

    def take_unsubmitted(self) -> str | None:
        """Return the oldest block that waits for its submission, which begins now; None without one."""
        block_id = next(iter(self.unsubmitted()), None)
        if block_id is not None:
            self._live[block_id].is_submitting = True
        return block_id

    def submitted(self, block_id: str, job_id: object) -> bool:
        """Record the job of a block; return whether to cancel it, as the block was scaled in meanwhile."""
        block = self._blocks[block_id]
        block.job_id = job_id
        self._touch(block)
        if block.status.state is JobState.PENDING:
            block.status = JobStatus(JobState.PENDING)
        return block.is_scaling_in

    def submission_delayed(self, block_id: str, message: str, now_s: float) -> None:
        """Record why a block could not be submitted yet; it waits again, unless it was scaled in."""
        if (block := self._live.get(block_id)) is None:
            return
        block.is_submitting = False
        if block.is_scaling_in:
            self.submission_failed(block_id, _NEVER_SUBMITTED, now_s)
        else:
            block.status = JobStatus(JobState.PENDING, message=message)
            self._touch(block)

    def submission_failed(self, block_id: str, message: str, now_s: float) -> None:
        """Record that a block will not be submitted: it has failed, unless it was scaled in."""
        if (block := self._live.get(block_id)) is not None:
            self._end(block, JobStatus(JobState.FAILED, message=message), now_s)

    def fail_unsubmitted(self, message: str, now_s: float) -> None:
        for block in list(self._live.values()):
            if block.job_id is None:
                self.submission_failed(block.block_id, message, now_s)

    def manager_connected(self, block_id: str, now_s: float) -> bool:
        """Record that a manager has connected, however briefly; returns whether it is the block's first."""
        if (block := self._blocks.get(block_id)) is None:
            return False
        self._have_connected = True
        if block.up_since_s is not None:
            return False
        block.up_since_s = now_s
        return True

    def observe_activity(self, activity: Mapping[str, BlockActivity] | None, now_s: float) -> bool:
        """Record what managers are doing, by block; return whether a block is back that counted as lost.

        A connected manager outranks a scheduler that reports its job as queued or unknown.
        """
        self._activity_is_known = activity is not None
        if activity is None:
            for block in self._live.values():
                if block.status.state is JobState.RUNNING:
                    self._is_up(block, now_s)
            return False
        before = len(self._live)
        for block in self._live.values():
            block.activity = None
        for block_id, doing in activity.items():
            if (known := self._blocks.get(block_id)) is not None and doing.managers > 0:
                self._observe(known, doing, now_s)
        return len(self._live) > before

    def observe_status(self, block_id: str, status: JobStatus, now_s: float) -> bool:
        """Record the scheduler's answer about a block; return whether the block has now ended.

        Call this after :meth:`observe_activity`.
        """
        block = self._live.get(block_id)
        if block is None or status.state is JobState.UNKNOWN:
            return False
        block.answered_s = now_s
        never_worked = self._activity_is_known and block.up_since_s is None and not block.is_scaling_in
        if block.activity is not None and (status.state is JobState.MISSING or not status.terminal):
            status = _with_state(status, JobState.RUNNING)
        elif status.state is JobState.COMPLETED and never_worked:
            status = _with_state(status, JobState.MISSING, _NO_MANAGER_CONNECTED)
        if status.terminal:
            self._end(block, status, now_s)
            return True
        block.status = _with_paths(status, block.status)
        self._touch(block)
        if not status.can_never_run:
            block.never_runs_since_s = None
        elif block.never_runs_since_s is None:
            block.never_runs_since_s = now_s
        return False

    def scale_in(self, block_ids: Iterable[str], now_s: float) -> list[tuple[str, object]]:
        """Record that blocks are to be scaled in.

        Returns (block id, job id) of those that had not ended and were not being scaled in. The job id of a
        block that is still being submitted is None: :meth:`submitted` has its job cancelled.
        """
        jobs: list[tuple[str, object]] = []
        for block_id in block_ids:
            block = self._live.get(block_id)
            if block is None or block.is_scaling_in:
                continue
            block.is_scaling_in = True
            block.cancel_again_s = now_s + RECANCEL_AFTER_S
            jobs.append((block_id, block.job_id))
            if block.job_id is None and not block.is_submitting:
                self.submission_failed(block_id, _NEVER_SUBMITTED, now_s)
        return jobs

    def cancel_answered(self, block_id: str, is_accepted: bool, now_s: float) -> None:
        block = self._blocks[block_id]
        block.cancel_is_accepted = is_accepted
        self._touch(block)
        block.cancel_again_s = now_s + (RECANCEL_AFTER_S if is_accepted else RECANCEL_REFUSED_AFTER_S)

    def overdue_cancels(self, now_s: float) -> list[tuple[str, object]]:
        """Return (block id, job id) of blocks that were cancelled a while ago and have not ended."""
        overdue = []
        for block in self._live.values():
            if block.is_scaling_in and block.job_id is not None and now_s >= block.cancel_again_s:
                block.cancel_again_s = now_s + RECANCEL_AFTER_S
                overdue.append((block.block_id, block.job_id))
        return overdue

    def _staying(self) -> list[Block]:
        return [block for block in self._live.values() if not block.is_scaling_in]

    def _observe(self, block: Block, doing: BlockActivity, now_s: float) -> None:
        if block.status.state is JobState.MISSING:
            self._live[block.block_id] = block
        if block.block_id not in self._live:
            return
        self._have_connected = True
        block.activity = doing
        block.status = _with_state(block.status, JobState.RUNNING)
        self._touch(block)
        self._is_up(block, now_s)

    def _is_up(self, block: Block, now_s: float) -> None:
        if block.up_since_s is None:
            block.up_since_s = now_s
        if not block.is_proven and now_s - block.up_since_s >= PROVEN_AFTER_S:
            block.is_proven = True
            self._failures_in_row = 0

    def _end(self, block: Block, status: JobStatus, now_s: float) -> None:
        del self._live[block.block_id]
        block.activity = None
        if block.is_scaling_in:
            status = _with_state(status, JobState.SCALED_IN)
        else:
            # A block whose managers were drained ends early and has worked all the same.
            was_drained = block.up_since_s is not None and status.state is JobState.COMPLETED
            self._last_end_s = now_s
            self._failures_in_row = 0 if block.is_proven or was_drained else self._failures_in_row + 1
        block.status = _with_paths(status, block.status)
        block.is_scaling_in = False
        self._touch(block)


def _with_state(status: JobStatus, state: JobState, message: str | None = None) -> JobStatus:
    if status.state is state and message is None:
        return status
    return JobStatus(
        state, message or status.message, status.exit_code, status.stdout_path, status.stderr_path
    )


def _with_paths(status: JobStatus, earlier: JobStatus) -> JobStatus:
    """Complete a status by the earlier one's paths: a scheduler may forget where a job's output is."""
    stdout_path = status.stdout_path or earlier.stdout_path
    stderr_path = status.stderr_path or earlier.stderr_path
    if (stdout_path, stderr_path) == (status.stdout_path, status.stderr_path):
        return status
    return JobStatus(
        status.state, status.message, status.exit_code, stdout_path, stderr_path, status.can_never_run
    )
