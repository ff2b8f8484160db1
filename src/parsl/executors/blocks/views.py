"""What is known about the blocks of one executor, as values."""

from __future__ import annotations

from dataclasses import dataclass

from parsl.vocabulary.job_states import JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from parsl.vocabulary.job_states import JobStatus

#: States in which giving a block back is safe to ask for: it is known to exist and not to have ended.
GIVABLE_STATES = frozenset({JobState.PENDING, JobState.HELD, JobState.RUNNING})


@dataclass(frozen=True)
class BlockActivity:
    """What the connected managers of one block are doing.

    Args:
        managers: How many are connected; at least 1.
        workers: How many workers they have together.
        tasks: How many tasks they hold, running or waiting.
        idle_s: How long they have been without any task, in seconds; 0 while they have one.
    """

    managers: int
    workers: int
    tasks: int
    idle_s: float


@dataclass(frozen=True)
class BlockView:
    """One block that has not ended, as the scaling strategy sees it.

    Args:
        block_id: Which one.
        state: Where its job is in its life.
        age_s: Seconds since it was asked for.
        managers: How many of its managers are connected; None when nobody can tell.
        tasks_held: How many tasks they hold; None when nobody can tell.
        idle_s: How long it has had nothing to do, in seconds; None when nobody can tell.
        is_leaving: Whether it is being given back already.
    """

    block_id: str
    state: JobState
    age_s: float
    managers: int | None = None
    tasks_held: int | None = None
    idle_s: float | None = None
    is_leaving: bool = False


@dataclass(frozen=True)
class EndedBlocks:
    """How the executor's blocks have been ending.

    Args:
        failures_in_row: How many have ended by themselves since one last worked.
        last_end_s: When one last ended that nobody had given back, on the caller's clock.
        have_connected: Whether a manager of any block has ever connected.
    """

    failures_in_row: int = 0
    last_end_s: float | None = None
    have_connected: bool = False


@dataclass(frozen=True)
class KnownJob:
    """What is known about the job of one block.

    Args:
        job_id: The scheduler's name for it.
        status: What it is doing, or how it ended.
        has_ended: Whether it is known to have ended.
        answer_age_s: How long ago the scheduler last said anything about it, in seconds; None: never.
    """

    job_id: object
    status: JobStatus
    has_ended: bool
    answer_age_s: float | None


def leave_order(blocks: Iterable[BlockView]) -> list[BlockView]:
    """Sort blocks by how little is lost in giving them back.

    Those that hold nothing come first; of them the queued ones, then those with the fewest managers (so
    that the fullest are kept), then those idle the longest.
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
