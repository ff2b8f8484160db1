from __future__ import annotations

from parsl.executors.blocks.views import BlockView, scale_in_order
from parsl.jobs.states import JobState


def test_blocks_are_sorted_by_how_little_is_lost() -> None:
    blocks = [
        BlockView("busy", JobState.RUNNING, managers=1, tasks_held=1, idle_s=0),
        BlockView("full", JobState.RUNNING, managers=4, tasks_held=0, idle_s=900),
        BlockView("short", JobState.RUNNING, managers=1, tasks_held=0, idle_s=10),
        BlockView("long", JobState.RUNNING, managers=1, tasks_held=0, idle_s=20),
        BlockView("queued", JobState.PENDING, managers=0, tasks_held=0, idle_s=9),
    ]
    assert [block.block_id for block in scale_in_order(blocks)] == ["queued", "long", "short", "full", "busy"]
