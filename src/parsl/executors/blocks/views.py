"""What is known about the blocks of one executor, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.run_observer import RunObserver


class BlockOwner(Protocol):
    """What blocks need from their executor."""

    #: May not be set yet.
    label: str
    #: What to notify of changes of blocks.
    observer: RunObserver

    @property
    def keeps_trying(self) -> bool: ...

    def launch_command(self, block_id: str) -> str: ...

    def block_activity(self) -> Mapping[str, BlockActivity] | None: ...

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]: ...

    def outstanding(self) -> int: ...


#: The states in which a block may be scaled in: its job is known to exist and not to have ended.
CANCELLABLE_STATES = frozenset({JobState.PENDING, JobState.HELD, JobState.RUNNING})


@dataclass(frozen=True)
class BlockActivity:
    """What the connected managers of one block, at least one, are doing."""

    managers: int
    workers: int
    #: The number of tasks they hold, running or waiting.
    tasks: int
    #: 0 while they have a task.
    idle_s: float


@dataclass(frozen=True)
class BlockView:
    """One block that has not ended, as the scaling strategy sees it.

    ``managers``, ``tasks_held`` and ``idle_s`` are None if the executor does not know.
    """

    block_id: str
    state: JobState
    managers: int | None = None
    tasks_held: int | None = None
    idle_s: float | None = None
    is_scaling_in: bool = False


@dataclass(frozen=True)
class BlockHistory:
    """How an executor's blocks have ended so far."""

    #: How many blocks have ended by themselves since a block last worked.
    failures_in_row: int = 0
    #: When a block last ended without having been scaled in.
    last_end_s: float | None = None
    have_connected: bool = False


@dataclass(frozen=True)
class KnownJob:
    """What is known about the job of one block."""

    job_id: object
    status: JobStatus
    has_ended: bool
    #: The age of the scheduler's last answer; None without one.
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
