"""How many blocks an executor should have: a pure function of what is known about it.

:func:`decide` uses no lock, clock, thread or scheduler. It receives what an executor has and what it has to
do, and returns how many blocks to start, or which to cancel. What it must remember is part of the decision,
and is passed to the next call.

The rules:

- As many blocks are *needed* as have slots for ``outstanding * parallelism`` tasks. With ``parallelism`` 1
  every task gets a slot of its own, with 0.5 two tasks share one, with 0 there is one block (or
  ``min_blocks``) as long as there is anything to do. The number is always between ``min_blocks`` and
  ``max_blocks``.
- Tasks that take longer than any block with managers will last need additional blocks; awaited blocks count
  as such. Idle blocks are cancelled to make room for them.
- A block counts as capacity from its submission on, queued or running, and towards ``max_blocks`` until it
  is *known* to have ended.
- A block that ended is replaced at once if it is still needed. When several in a row have ended before they
  worked, one at a time is tried, with growing delays, until one works: giving up is up to the block error
  handler, but until then no scheduler is flooded.
- A block is scaled in only if what was needed at any time within the last ``max_idletime_s`` fits into the
  others, and never while it has a task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from parsl.common import pass_on_upstream_names
from parsl.executors.blocks.views import CANCELLABLE_STATES, BlockHistory, BlockView, scale_in_order
from parsl.vocabulary.job_states import JobState

#: The names a configuration may use; None means "none".
STRATEGIES = ("none", "simple", "htex_auto_scale")

#: The delay of the second replacement of blocks that never worked, in seconds; it doubles with each further.
FIRST_RETRY_DELAY_S = 0.25
MAX_RETRY_DELAY_S = 60.0

#: After this many blocks in a row that have not worked, one at a time is tried.
PROBE_AFTER_FAILURES = 2

#: The part of a block that rounding errors may add without another block being needed.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Demand:
    """The highest number of blocks needed within a window that ends now.

    Tasks come in waves. Blocks are scaled in by the highest demand of a whole idle time, so that a trough
    does not cost a block that the next wave needs.
    """

    #: When observation began; None before that.
    since_s: float | None = None
    #: (when last seen in seconds, blocks needed), oldest first, each higher than those after it.
    peaks: tuple[tuple[float, int], ...] = ()

    @property
    def highest(self) -> int:
        """The highest number of blocks needed at once within the window."""
        return self.peaks[0][1] if self.peaks else 0

    def observe(self, needed: int, now_s: float, window_s: float) -> Demand:
        """Add how many blocks are needed now, and drop what is older than the window."""
        oldest_s = now_s - window_s
        kept = tuple(peak for peak in self.peaks if peak[1] > needed and peak[0] > oldest_s)
        return Demand(now_s if self.since_s is None else self.since_s, (*kept, (now_s, needed)))

    def is_known_for(self, window_s: float, now_s: float) -> bool:
        """Return whether observation began at least this many seconds ago."""
        return self.since_s is not None and now_s - self.since_s >= window_s


@dataclass(frozen=True)
class ExecutorView:
    """What the strategy knows about one executor."""

    outstanding: int
    #: None while it is unknown.
    workers_per_block: int | None
    min_blocks: int
    max_blocks: int
    #: The ratio of slots to tasks, 0 to 1.
    parallelism: float
    #: Every block that is not known to have ended.
    blocks: tuple[BlockView, ...] = ()
    history: BlockHistory = field(default_factory=BlockHistory)
    #: How many of the outstanding tasks wait because every block that has managers ends too soon for them.
    without_time: int = 0

    @property
    def staying(self) -> list[BlockView]:
        return [block for block in self.blocks if not block.is_scaling_in]

    @property
    def awaited(self) -> int:
        """The number of these blocks that have no managers yet."""
        return sum(not block.managers for block in self.staying)

    def blocks_for(self, tasks: int) -> int:
        if tasks <= 0:
            return 0
        if not self.workers_per_block:
            return 1  # the first block shows how many workers a block has
        return max(1, math.ceil(tasks * self.parallelism / self.workers_per_block - _ROUNDING))

    def tasks_for(self, blocks: int) -> float:
        """Return the maximum number of tasks for which this many blocks are enough."""
        if not blocks:
            return 0
        if not self.workers_per_block or not self.parallelism:
            return math.inf
        return (blocks + _ROUNDING) * self.workers_per_block / self.parallelism


@dataclass(frozen=True)
class Decision:
    """What to do about an executor's blocks."""

    #: To be passed to the next :func:`decide` for this executor.
    demand: Demand
    scale_out: int = 0
    scale_in: tuple[str, ...] = ()
    reason: str = ""
    decide_again_in_s: float | None = None
    #: Decide again as soon as there are more outstanding tasks than this.
    covered_tasks: float = math.inf
    #: Why the outstanding tasks can never run; None if they may.
    hopeless: str | None = None


def decide(
    view: ExecutorView, strategy: str | None, max_idletime_s: float, now_s: float, demand: Demand
) -> Decision:
    """Decide what to do about an executor's blocks; never both to start and to cancel some.

    ``now_s`` is on the clock of all the other times. ``demand`` is that of the last decision, ``Demand()``
    the first time.
    """
    if strategy is None or strategy == "none":
        return _without_scaling(view, max_idletime_s, now_s, demand)
    usable = len(view.staying)
    additional = view.blocks_for(view.without_time)
    needed = view.blocks_for(view.outstanding - view.without_time)
    demand = demand.observe(needed + min(additional, view.awaited), now_s, max_idletime_s)
    if additional:
        needed = max(needed, usable - view.awaited) + additional
    target = max(view.min_blocks, min(view.max_blocks, needed))
    if target > usable:
        return _scale_out(view, target, usable, now_s, demand)
    idle = _choose_idle(view, strategy, max_idletime_s, now_s, demand)
    return Decision(
        demand,
        scale_in=tuple(block.block_id for block in idle),
        reason=_reason_to_scale_in(view, idle, max_idletime_s) if idle else "",
        covered_tasks=_covered_tasks(view, usable - len(idle), len(view.blocks)),
    )


def retry_delay_s(failures_in_row: int) -> float:
    """Return how long to wait before the next block after so many that never worked, in seconds."""
    if failures_in_row < 2:
        return 0.0
    return float(min(MAX_RETRY_DELAY_S, FIRST_RETRY_DELAY_S * 2.0 ** min(failures_in_row - 2, 30)))


def _covered_tasks(view: ExecutorView, usable: int, live: int) -> float:
    """Return with how many outstanding tasks there is nothing more to decide."""
    if live >= view.max_blocks:
        return math.inf
    return max(view.outstanding, view.tasks_for(usable))


def _scale_out(view: ExecutorView, target: int, usable: int, now_s: float, demand: Demand) -> Decision:
    missing = min(target - usable, view.max_blocks - len(view.blocks))
    if missing <= 0:
        return Decision(demand)
    failures, last_end_s = view.history.failures_in_row, view.history.last_end_s
    if last_end_s is not None and (wait_s := last_end_s + retry_delay_s(failures) - now_s) > 0:
        reason = f"{failures} blocks in a row ended without having worked"
        return Decision(demand, reason=reason, decide_again_in_s=wait_s)
    if failures >= PROBE_AFTER_FAILURES:
        if any(block.state is not JobState.RUNNING or block.managers == 0 for block in view.blocks):
            return Decision(demand, reason="one block at a time is tried, until one works")
        missing = 1
    return Decision(
        demand,
        scale_out=missing,
        reason=f"{view.outstanding} outstanding tasks need {target} blocks, there are {usable}",
        covered_tasks=_covered_tasks(view, usable + missing, len(view.blocks) + missing),
    )


def _choose_idle(
    view: ExecutorView, strategy: str, max_idletime_s: float, now_s: float, demand: Demand
) -> list[BlockView]:
    if not demand.is_known_for(max_idletime_s, now_s):
        return []
    if strategy == "simple" and (
        demand.highest or not all(_is_idle(block, max_idletime_s) for block in view.staying)
    ):
        return []
    needs_room = view.blocks_for(view.without_time) > view.awaited
    surplus = len(view.staying) - max(0 if needs_room else view.min_blocks, demand.highest)
    if surplus <= 0:
        return []
    idle = [
        block
        for block in view.staying
        if not (view.without_time and not block.managers)
        and block.state in CANCELLABLE_STATES
        and _is_idle(block, max_idletime_s, demand)
    ]
    return scale_in_order(idle)[:surplus]


def _is_idle(block: BlockView, max_idletime_s: float, demand: Demand | None = None) -> bool:
    """Return whether a block has had nothing to do for this long.

    Where that is unknown, the block is idle if there was nothing to do at all, which the caller knows.
    """
    if block.tasks_held:
        return False
    if block.idle_s is None:
        return demand is None or demand.highest == 0
    return block.idle_s >= max_idletime_s


def _reason_to_scale_in(view: ExecutorView, idle: list[BlockView], max_idletime_s: float) -> str:
    queued = sum(block.state is not JobState.RUNNING for block in idle)
    return (
        f"{len(idle)} of {len(view.blocks)} blocks ({queued} of them queued) not needed for "
        f"{max_idletime_s:g} s, {view.outstanding} outstanding tasks"
    )


def _without_scaling(view: ExecutorView, max_idletime_s: float, now_s: float, demand: Demand) -> Decision:
    """Do not scale, but do not let tasks wait for ever after all blocks have ended by themselves."""
    last_end_s = view.history.last_end_s
    if view.blocks or not view.outstanding or last_end_s is None:
        return Decision(demand)
    wait_s = last_end_s + max_idletime_s - now_s
    if wait_s > 0:
        return Decision(demand, decide_again_in_s=wait_s)
    return Decision(
        demand,
        hopeless=(
            f"Every block has ended and the strategy 'none' starts no others, but {view.outstanding} tasks "
            "are outstanding. Use Config(strategy='simple'), or blocks with a longer walltime."
        ),
    )


pass_on_upstream_names(__name__)
