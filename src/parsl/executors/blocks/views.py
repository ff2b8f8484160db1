"""What is known about the blocks of one executor, as values."""

from __future__ import annotations

from dataclasses import dataclass

from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from parsl.vocabulary.job_states import JobStatus

#: The states in which a block may be scaled in: its job is known to exist and not to have ended.
CANCELLABLE_STATES = frozenset({JobState.PENDING, JobState.HELD, JobState.RUNNING})


@dataclass(frozen=True)
class BlockActivity:
    """What the connected managers of one block are doing.

    Args:
        managers: The number of connected managers; at least 1.
        workers: The number of workers they have together.
        tasks: The number of tasks they hold, running or waiting.
        idle_s: How long they have been without a task, in seconds; 0 while they have one.
    """

    managers: int
    workers: int
    tasks: int
    idle_s: float


@dataclass(frozen=True)
class BlockView:
    """One block that has not ended, as the scaling strategy sees it.

    Args:
        block_id: The block.
        state: The state of its job.
        age_s: Seconds since the block was reserved.
        managers: The number of connected managers; None if the executor does not know.
        tasks_held: The number of tasks they hold; None if the executor does not know.
        idle_s: How long the block has had nothing to do, in seconds; None if the executor does not know.
        is_scaling_in: Whether the block is being scaled in.
    """

    block_id: str
    state: JobState
    age_s: float
    managers: int | None = None
    tasks_held: int | None = None
    idle_s: float | None = None
    is_scaling_in: bool = False


@dataclass(frozen=True)
class BlockHistory:
    """How an executor's blocks have ended so far.

    Args:
        failures_in_row: How many blocks have ended by themselves since a block last worked.
        last_end_s: When a block last ended without having been scaled in, on the caller's clock.
        have_connected: Whether a manager of any block has ever connected.
    """

    failures_in_row: int = 0
    last_end_s: float | None = None
    have_connected: bool = False


@dataclass(frozen=True)
class KnownJob:
    """What is known about the job of one block.

    Args:
        job_id: The scheduler's id of the job.
        status: What the job is doing, or how it ended.
        has_ended: Whether the job is known to have ended.
        answer_age_s: The age of the scheduler's last answer about the job, in seconds; None without one.
    """

    job_id: object
    status: JobStatus
    has_ended: bool
    answer_age_s: float | None


def scale_in_order(blocks: Iterable[BlockView]) -> list[BlockView]:
    """Sort blocks by how little is lost when they are scaled in.

    Blocks without tasks come first; among them the queued ones, then those with the fewest managers (so
    that full blocks are kept), then those that have been idle longest.
    """
    return sorted(
        blocks,
        key=lambda block: (
            block.tasks_held or 0,
            block.state is JobState.RUNNING,
            block.managers or 0,
            -(block.idle_s or 0.0),
        ),
    )
