"""The blocks of one executor: what is known about each, and what that means.

Everything here is decided without a lock, a clock or a scheduler: :class:`BlockTable` is told what
happened and when, and answers. :class:`parsl.executors.blocks.keeper.BlockKeeper` owns one, guards it, and
does what has to be done.
"""

from __future__ import annotations

from parsl.executors.blocks.views import BlockView, EndedBlocks, KnownJob
from parsl.vocabulary.job_states import JobState, JobStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from parsl.executors.blocks.views import BlockActivity

#: A block whose managers have been connected this long has shown that blocks can work here; in seconds.
PROVEN_AFTER_S = 10.0

#: A job that was cancelled and is still there is cancelled again after so many seconds: one whose
#: cancellation the scheduler accepted, and one it refused.
RECANCEL_AFTER_S = 60.0
RECANCEL_REFUSED_AFTER_S = 10.0

_NO_MANAGER_CAME = (
    "The job ended by itself before any manager of it had connected. Does the launch command start one, "
    "in the foreground? What it wrote is below, or in the job's stdout and stderr."
)


class Block:
    """One block: a batch job that runs managers, from the wish for it to its end."""

    __slots__ = (
        "activity",
        "answered_s",
        "block_id",
        "cancel_again_s",
        "is_cancelled",
        "is_leaving",
        "is_proven",
        "job_id",
        "never_runs_since_s",
        "status",
        "submitted_s",
        "up_since_s",
    )

    def __init__(self, block_id: str, now_s: float) -> None:
        self.block_id = block_id
        self.job_id: object = None
        self.status = JobStatus(JobState.PENDING, message="being submitted")
        self.submitted_s = now_s
        self.activity: BlockActivity | None = None
        self.up_since_s: float | None = None
        self.is_proven = False
        #: It is being given back: no capacity any more, and however it ends, it was scaled in.
        self.is_leaving = False
        #: The scheduler has accepted that.
        self.is_cancelled = False
        self.cancel_again_s = 0.0
        #: When the scheduler last said anything about it.
        self.answered_s: float | None = None
        #: Since when the scheduler has been saying that it can never run.
        self.never_runs_since_s: float | None = None

    def __repr__(self) -> str:
        return f"<Block {self.block_id} job={self.job_id!r} {self.status.state.name}>"

    def view(self, now_s: float, activity_is_known: bool) -> BlockView:
        age_s = now_s - self.submitted_s
        if not activity_is_known:
            is_queued = self.status.state is not JobState.RUNNING
            return BlockView(
                self.block_id,
                self.status.state,
                age_s,
                idle_s=age_s if is_queued else None,
                is_leaving=self.is_leaving,
            )
        activity = self.activity
        return BlockView(
            self.block_id,
            self.status.state,
            age_s,
            managers=activity.managers if activity else 0,
            tasks_held=activity.tasks if activity else 0,
            idle_s=(activity.idle_s if not activity.tasks else 0.0) if activity else age_s,
            is_leaving=self.is_leaving,
        )


class BlockTable:
    """All blocks an executor has ever had, by block id ("0", "1", ...).

    Not thread-safe: its owner guards it. Times are seconds on any one monotonic clock.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}
        self._live: dict[str, Block] = {}
        self._activity_is_known = False
        self._failures_in_row = 0
        self._last_end_s: float | None = None
        self._have_connected = False

    def __repr__(self) -> str:
        leaving = sum(block.is_leaving for block in self._live.values())
        return f"<BlockTable {len(self._blocks)} blocks, {len(self._live)} live, {leaving} leaving>"

    @property
    def ended(self) -> EndedBlocks:
        """How blocks have been ending."""
        return EndedBlocks(self._failures_in_row, self._last_end_s, self._have_connected)

    def blocks_to_job_id(self) -> dict[str, object]:
        """The job of every block that has been submitted."""
        return {block.block_id: block.job_id for block in self._blocks.values() if block.job_id is not None}

    def statuses(self) -> dict[str, JobStatus]:
        """What is known about every block, ended ones included, oldest first.

        One is shown as scaled in as soon as the scheduler has accepted that, though its job may go on for
        a while, and counts as a live block as long as it does.
        """
        return {
            block.block_id: _with_state(block.status, JobState.SCALED_IN)
            if block.is_cancelled
            else block.status
            for block in self._blocks.values()
        }

    def views(self, now_s: float) -> tuple[BlockView, ...]:
        """Every block that is not known to have ended."""
        return tuple(block.view(now_s, self._activity_is_known) for block in self._live.values())

    def jobs(self) -> list[tuple[str, object]]:
        """(block id, job id) of every block that has a job which is not known to have ended."""
        return [(block.block_id, block.job_id) for block in self._live.values() if block.job_id is not None]

    def jobs_to_cancel(self) -> list[object]:
        """The jobs that are not known to have ended: those that wait first, newest first."""
        jobs = [block for block in reversed(self._live.values()) if block.job_id is not None]
        jobs.sort(key=lambda block: block.status.state is JobState.RUNNING)
        return [block.job_id for block in jobs]

    def awaited_jobs(self) -> list[object]:
        """The jobs of the blocks of which a manager may still come."""
        if not self._activity_is_known:
            return []
        return [
            block.job_id
            for block in self._live.values()
            if block.job_id is not None and block.up_since_s is None and not block.is_leaving
        ]

    def has_starting(self) -> bool:
        """Whether a job runs of which no manager has come yet."""
        return self._activity_is_known and any(
            block.status.state is JobState.RUNNING and block.up_since_s is None
            for block in self._live.values()
        )

    def usable_blocks(self) -> list[str]:
        """Every block that has not ended and is not being given back."""
        return [block.block_id for block in self._live.values() if not block.is_leaving]

    def is_leaving(self, block_id: str) -> bool:
        """Whether a block is being given back, or has ended."""
        block = self._live.get(block_id)
        return block is None or block.is_leaving

    def held(self) -> list[tuple[object, JobStatus]]:
        """(job id, status) of every block that will not start before somebody does something."""
        return [
            (block.job_id, block.status)
            for block in self._live.values()
            if block.status.state is JobState.HELD and not block.is_leaving
        ]

    def never_run_for_s(self, now_s: float) -> tuple[float, dict[str, JobStatus]]:
        """For how many seconds it has been known that no block can ever run, and what is said of each."""
        waiting = [block for block in self._live.values() if not block.is_leaving]
        since_s = [block.never_runs_since_s for block in waiting]
        known_s = [moment_s for moment_s in since_s if moment_s is not None]
        if not waiting or len(known_s) < len(waiting):
            return 0.0, {}
        return now_s - max(known_s), {block.block_id: block.status for block in waiting}

    def known_job(self, block_id: str, now_s: float) -> KnownJob | None:
        """What is known about the job of a block; None if there is no such job."""
        block = self._blocks.get(block_id)
        if block is None or block.job_id is None:
            return None
        answer_age_s = None if block.answered_s is None else now_s - block.answered_s
        return KnownJob(block.job_id, block.status, block_id not in self._live, answer_age_s)

    def has_job(self, job_id: object) -> bool:
        """Whether a block with this job has been submitted."""
        return any(block.job_id == job_id for block in reversed(self._blocks.values()))

    def reserve(self, count: int, now_s: float, max_live: int | None = None) -> list[str]:
        """Note that blocks are about to be submitted; they count from here on.

        Args:
            count: How many are wanted.
            now_s: The time, in seconds.
            max_live: How many live blocks there may be at most after this; None for no limit.

        Returns:
            The new blocks' ids; fewer than ``count`` when there is no room for more.
        """
        if max_live is not None:
            count = min(count, max_live - len(self._live))
        reserved = []
        for _ in range(count):
            block = Block(str(len(self._blocks)), now_s)
            self._blocks[block.block_id] = self._live[block.block_id] = block
            reserved.append(block.block_id)
        return reserved

    def submitted(self, block_id: str, job_id: object) -> bool:
        """Note that the scheduler has accepted a block.

        Returns:
            Whether it has to be cancelled at once, as it was given back in the meantime.
        """
        block = self._blocks[block_id]
        block.job_id = job_id
        if block.status.state is JobState.PENDING:
            block.status = JobStatus(JobState.PENDING)
        return block.is_leaving

    def submission_waits(self, block_id: str, message: str) -> None:
        """Note that a block could not be submitted yet."""
        if (block := self._live.get(block_id)) is not None:
            block.status = JobStatus(JobState.PENDING, message=message)

    def submission_failed(self, block_id: str, message: str, now_s: float) -> None:
        """Note that a block will not be submitted: it has failed, unless it was given back."""
        if (block := self._live.get(block_id)) is not None:
            self._end(block, JobStatus(JobState.FAILED, message=message), now_s)

    def connected(self, block_id: str, now_s: float) -> bool:
        """Note that a manager of a block has connected, however short it may stay.

        Returns:
            Whether it is the block's first.
        """
        block = self._blocks.get(block_id)
        self._have_connected = self._have_connected or block is not None
        if block is None or block.up_since_s is not None:
            return False
        block.up_since_s = now_s
        return True

    def observe_activity(self, activity: Mapping[str, BlockActivity] | None, now_s: float) -> bool:
        """Take note of what the connected managers are doing.

        A connected manager outranks a scheduler that says its block is queued, or does not know it.

        Args:
            activity: By block id, those blocks with at least one manager; None when nobody can tell.
            now_s: The time, in seconds.

        Returns:
            Whether a block is back that was taken for lost.
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

    def surplus(self, most: int) -> list[str]:
        """Blocks that have not begun, the newest ones, as far as more than ``most`` blocks are to stay."""
        staying = [block for block in self._live.values() if not block.is_leaving]
        waiting = [block.block_id for block in staying if block.status.state is not JobState.RUNNING]
        return waiting[::-1][: max(0, len(staying) - most)]

    def observe_status(self, block_id: str, status: JobStatus, now_s: float) -> bool:
        """Take note of what the scheduler says about a block; call after :meth:`observe_activity`.

        Returns:
            Whether that is the news of its end.
        """
        block = self._live.get(block_id)
        if block is None or status.state is JobState.UNKNOWN:
            return False
        block.answered_s = now_s
        if block.activity is not None and (status.state is JobState.MISSING or not status.terminal):
            status = _with_state(status, JobState.RUNNING)
        elif status.state is JobState.COMPLETED and self._never_worked(block):
            status = _with_state(status, JobState.MISSING, _NO_MANAGER_CAME)
        if status.terminal:
            self._end(block, status, now_s)
            return True
        block.status = _merged(status, block.status)
        if not status.is_for_good:
            block.never_runs_since_s = None
        elif block.never_runs_since_s is None:
            block.never_runs_since_s = now_s
        return False

    def leave(self, block_ids: Iterable[str], now_s: float) -> list[tuple[str, object]]:
        """Note that blocks are given back.

        Returns:
            (block id, job id) of those that had not ended and were not leaving. A block that is still
            being submitted has no job to cancel yet, but None: :meth:`submitted` asks for that.
        """
        jobs: list[tuple[str, object]] = []
        for block_id in block_ids:
            block = self._live.get(block_id)
            if block is None or block.is_leaving:
                continue
            block.is_leaving = True
            block.cancel_again_s = now_s + RECANCEL_AFTER_S
            jobs.append((block_id, block.job_id))
        return jobs

    def cancel_answered(self, block_id: str, is_accepted: bool, now_s: float) -> None:
        """Note what the scheduler said to cancelling a block."""
        block = self._blocks[block_id]
        block.is_cancelled = is_accepted
        block.cancel_again_s = now_s + (RECANCEL_AFTER_S if is_accepted else RECANCEL_REFUSED_AFTER_S)

    def overdue_cancels(self, now_s: float) -> list[tuple[str, object]]:
        """(block id, job id) of those that were given back a while ago and still have not ended."""
        overdue = []
        for block in self._live.values():
            if block.is_leaving and block.job_id is not None and now_s >= block.cancel_again_s:
                block.cancel_again_s = now_s + RECANCEL_AFTER_S
                overdue.append((block.block_id, block.job_id))
        return overdue

    def _never_worked(self, block: Block) -> bool:
        return self._activity_is_known and block.up_since_s is None and not block.is_leaving

    def _observe(self, block: Block, doing: BlockActivity, now_s: float) -> None:
        if block.status.state is JobState.MISSING:
            self._live[block.block_id] = block
        if block.block_id not in self._live:
            return
        self._have_connected = True
        block.activity = doing
        block.status = _with_state(block.status, JobState.RUNNING)
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
        if block.is_leaving:
            status = _with_state(status, JobState.SCALED_IN)
        else:
            self._last_end_s = now_s
            self._failures_in_row = 0 if _has_worked(block, status) else self._failures_in_row + 1
        block.status = _merged(status, block.status)
        block.is_leaving = False


def _has_worked(block: Block, status: JobStatus) -> bool:
    """Whether an end is none that came too early: its managers may have been told to leave."""
    return block.is_proven or (block.up_since_s is not None and status.state is JobState.COMPLETED)


def _with_state(status: JobStatus, state: JobState, message: str | None = None) -> JobStatus:
    if status.state is state and message is None:
        return status
    return JobStatus(
        state, message or status.message, status.exit_code, status.stdout_path, status.stderr_path
    )


def _merged(status: JobStatus, earlier: JobStatus) -> JobStatus:
    """A scheduler may forget where the output is; what it once said about it holds."""
    if (status.stdout_path or not earlier.stdout_path) and (status.stderr_path or not earlier.stderr_path):
        return status
    return JobStatus(
        status.state,
        status.message,
        status.exit_code,
        status.stdout_path or earlier.stdout_path,
        status.stderr_path or earlier.stderr_path,
        status.is_for_good,
    )
