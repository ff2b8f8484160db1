"""How many blocks an executor should have: a plain function of what is known about it.

:func:`decide` has no lock, clock, thread or scheduler. It is told what an executor has and what it has to
do, and answers how many blocks to ask for, or which to give back. What it has to remember it returns, and
is given again the next time.

The rules:

- As many blocks are *wanted* as have slots for ``outstanding * parallelism`` tasks. With ``parallelism`` 1
  every task gets a slot of its own, with 0.5 two share one, with 0 there is one block (or ``min_blocks``)
  as long as there is anything to do. Never fewer than ``min_blocks``, never more than ``max_blocks``.
- Tasks that take longer than any block with managers has left are worth blocks of their own, which those
  that are still awaited are; to make room for such blocks, idle ones are given back.
- A block counts as capacity from the moment it is asked for, queued or running, and towards
  ``max_blocks`` until it is *known* to have ended.
- A block that ended is replaced at once if it is still wanted. When several in a row have ended before they
  worked, one at a time is tried, ever more slowly, until one works: it is for the block error handler to
  give up, but nobody's scheduler is flooded until it does.
- A block is given back only if nothing that was needed within the last ``max_idletime_s`` would be missing
  without it, and never while it has a task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from parsl.executors.blocks.views import CANCELLABLE_STATES, BlockHistory, BlockView, scale_in_order
from parsl.jobs.demand import Demand
from parsl.vocabulary.job_states import JobState

#: The names a configuration may use; None means "none".
STRATEGIES = ("none", "simple", "htex_auto_scale")

#: The second replacement of blocks that never worked waits this long, each further one twice as long.
FIRST_RETRY_DELAY_S = 0.25
MAX_RETRY_DELAY_S = 60.0

#: When so many blocks in a row have not worked, one at a time is tried.
PROBE_AFTER_FAILURES = 2

_NEVER = math.inf

#: Part of a block by which products of floats may be off without asking for another one.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class ExecutorView:
    """What the strategy knows about one executor.

    Args:
        label: Its name.
        outstanding: How many tasks it has that are not finished.
        workers_per_block: How many tasks a block runs at once; None while nobody knows.
        min_blocks: Fewest blocks it may have.
        max_blocks: Most blocks it may have.
        parallelism: Wanted ratio of slots to tasks, 0 to 1.
        blocks: Every block that is not known to have ended.
        history: How blocks have been ending.
        without_time: How many of the outstanding tasks wait because every block that has managers ends too
            soon for them.
    """

    label: str
    outstanding: int
    workers_per_block: int | None
    min_blocks: int
    max_blocks: int
    parallelism: float
    blocks: tuple[BlockView, ...] = ()
    history: BlockHistory = field(default_factory=BlockHistory)
    without_time: int = 0

    @property
    def awaited(self) -> int:
        """How many blocks were asked for, are not being given back, and have no managers yet."""
        return sum(not block.is_scaling_in and not block.managers for block in self.blocks)


@dataclass(frozen=True)
class Decision:
    """What to do about an executor's blocks.

    Args:
        memory: To be given to the next :func:`decide` for this executor.
        scale_out: How many blocks to ask for.
        scale_in: The ids of the blocks to give back.
        reason: Why, for the log.
        look_again_in_s: Decide again after this many seconds at the latest; None if there is no hurry.
        covered_tasks: Decide again as soon as there are more outstanding tasks than this.
        hopeless: Why the outstanding tasks can never run, if that is so.
    """

    memory: Demand
    scale_out: int = 0
    scale_in: tuple[str, ...] = ()
    reason: str = ""
    look_again_in_s: float | None = None
    covered_tasks: float = _NEVER
    hopeless: str | None = None


def decide(
    view: ExecutorView, strategy: str | None, max_idletime_s: float, now_s: float, memory: Demand
) -> Decision:
    """Say what to do about an executor's blocks.

    Args:
        view: What is known about the executor.
        strategy: One of :data:`STRATEGIES`, or None for "none".
        max_idletime_s: How long a block may be idle before it is given back, in seconds.
        now_s: The time in seconds, on the clock of all the other times.
        memory: What the last decision returned; ``Demand()`` the first time.

    Returns:
        The decision. It never asks for blocks and gives some back at once.
    """
    if strategy is None or strategy == "none":
        return _without_scaling(view, max_idletime_s, now_s, memory)
    usable = sum(not block.is_scaling_in for block in view.blocks)
    fresh = _worth(view, view.without_time)
    needed = _worth(view, view.outstanding - view.without_time)
    memory = memory.observe(needed + min(fresh, view.awaited), now_s, max_idletime_s)
    if fresh:
        needed = max(needed, usable - view.awaited) + fresh
    wanted = max(view.min_blocks, min(view.max_blocks, needed))
    if wanted > usable:
        return _scale_out(view, wanted, usable, now_s, memory)
    giving = _choose_leaving(view, strategy, max_idletime_s, now_s, memory)
    return Decision(
        memory,
        scale_in=tuple(block.block_id for block in giving),
        reason=_reason_to_give(view, giving, max_idletime_s) if giving else "",
        covered_tasks=_covered_tasks(view, usable - len(giving), len(view.blocks)),
    )


def retry_delay_s(failures_in_row: int) -> float:
    """How long to wait before the next block after so many that never worked, in seconds."""
    if failures_in_row < 2:
        return 0.0
    return float(min(MAX_RETRY_DELAY_S, FIRST_RETRY_DELAY_S * 2.0 ** min(failures_in_row - 2, 30)))


def _worth(view: ExecutorView, tasks: int) -> int:
    """How many blocks so many tasks are worth."""
    if tasks <= 0:
        return 0
    if not view.workers_per_block:
        return 1  # one block will tell how many workers there are in one
    slots = tasks * view.parallelism
    return max(1, math.ceil(slots / view.workers_per_block - _ROUNDING))


def _covered_tasks(view: ExecutorView, usable: int, live: int) -> float:
    """With how many outstanding tasks there will be something to decide."""
    if live >= view.max_blocks:
        return _NEVER
    return max(view.outstanding, _capacity(view, usable))


def _capacity(view: ExecutorView, blocks: int) -> float:
    """The most outstanding tasks for which ``blocks`` are enough."""
    if not blocks:
        return 0
    if not view.workers_per_block or not view.parallelism:
        return _NEVER
    return (blocks + _ROUNDING) * view.workers_per_block / view.parallelism


def _scale_out(view: ExecutorView, wanted: int, usable: int, now_s: float, memory: Demand) -> Decision:
    missing = min(wanted - usable, view.max_blocks - len(view.blocks))
    if missing <= 0:
        return Decision(memory)
    wait_s = _wait_before_retry_s(view.history, now_s)
    if wait_s > 0:
        reason = f"{view.history.failures_in_row} blocks in a row ended without having worked"
        return Decision(memory, reason=reason, look_again_in_s=wait_s)
    if view.history.failures_in_row >= PROBE_AFTER_FAILURES:
        if not all(_is_up(block) for block in view.blocks):
            return Decision(memory, reason="one block at a time is tried, until one works")
        missing = 1
    reason = f"{view.outstanding} outstanding tasks want {wanted} blocks, there are {usable}"
    covered_tasks = _covered_tasks(view, usable + missing, len(view.blocks) + missing)
    return Decision(memory, scale_out=missing, reason=reason, covered_tasks=covered_tasks)


def _is_up(block: BlockView) -> bool:
    """Whether managers of a block are there, as far as anybody can tell."""
    return block.state is JobState.RUNNING and block.managers != 0


def _wait_before_retry_s(history: BlockHistory, now_s: float) -> float:
    if history.last_end_s is None:
        return 0.0
    return history.last_end_s + retry_delay_s(history.failures_in_row) - now_s


def _choose_leaving(
    view: ExecutorView, strategy: str, max_idletime_s: float, now_s: float, memory: Demand
) -> list[BlockView]:
    if not memory.is_known_for(max_idletime_s, now_s):
        return []
    staying = [block for block in view.blocks if not block.is_scaling_in]
    if memory.highest == 0:
        if strategy == "simple" and not all(_is_idle(block, max_idletime_s) for block in staying):
            return []
    elif strategy == "simple":
        return []
    is_short = _worth(view, view.without_time) > view.awaited
    surplus = len(staying) - max(0 if is_short else view.min_blocks, memory.highest)
    if surplus <= 0:
        return []
    idle = [
        block
        for block in staying
        if not (view.without_time and not block.managers)
        and block.state in CANCELLABLE_STATES
        and _is_idle(block, max_idletime_s, memory)
    ]
    return scale_in_order(idle)[:surplus]


def _is_idle(block: BlockView, max_idletime_s: float, memory: Demand | None = None) -> bool:
    """Whether a block has had nothing to do for so long.

    When nobody can tell, it is idle exactly if there was nothing to do at all, which the caller knows.
    """
    if block.tasks_held:
        return False
    if block.idle_s is None:
        return memory is None or memory.highest == 0
    return block.idle_s >= max_idletime_s


def _reason_to_give(view: ExecutorView, giving: list[BlockView], max_idletime_s: float) -> str:
    queued = sum(block.state is not JobState.RUNNING for block in giving)
    return (
        f"{len(giving)} of {len(view.blocks)} blocks ({queued} of them queued) not needed for "
        f"{max_idletime_s:g} s, {view.outstanding} outstanding tasks"
    )


def _without_scaling(view: ExecutorView, max_idletime_s: float, now_s: float, memory: Demand) -> Decision:
    """Never scale; but do not let tasks wait for ever for blocks that ended by themselves."""
    last_end_s = view.history.last_end_s
    if view.blocks or not view.outstanding or last_end_s is None:
        return Decision(memory)
    wait_s = last_end_s + max_idletime_s - now_s
    if wait_s > 0:
        return Decision(memory, look_again_in_s=wait_s)
    return Decision(
        memory,
        hopeless=(
            f"Every block has ended and the strategy 'none' starts no others, but {view.outstanding} tasks "
            "are outstanding. Use Config(strategy='simple'), or blocks with a longer walltime."
        ),
    )
