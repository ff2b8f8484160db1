from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.blocks.views import BlockHistory, BlockView
from parsl.jobs.states import JobState
from parsl.jobs.strategy import Decision, Demand, ExecutorView, decide, retry_delay_s

NOW_S = 10_000.0
IDLETIME_S = 120.0


def busy(block_id: str, **known: Any) -> BlockView:
    return BlockView(block_id, JobState.RUNNING, **{"managers": 1, "tasks_held": 1, "idle_s": 0.0, **known})


def idle(block_id: str, idle_s: float = 500, **known: Any) -> BlockView:
    return BlockView(
        block_id, JobState.RUNNING, **{"managers": 1, "tasks_held": 0, "idle_s": idle_s, **known}
    )


def queued(block_id: str, age_s: float = 500, state: JobState = JobState.PENDING) -> BlockView:
    return BlockView(block_id, state, managers=0, tasks_held=0, idle_s=age_s)


def scaling_in(block_id: str) -> BlockView:
    return idle(block_id, is_scaling_in=True)


def view(*blocks: BlockView, tasks: int = 0, **known: Any) -> ExecutorView:
    defaults: dict[str, Any] = {
        "workers_per_block": 10,
        "min_blocks": 0,
        "max_blocks": 10,
        "parallelism": 1.0,
    }
    return ExecutorView(tasks, blocks=blocks, **{**defaults, **known})


def long_known(needed: int = 0) -> Demand:
    """A demand that has been constant for a long time."""
    return Demand(since_s=0.0, peaks=((NOW_S - 1, needed),))


def scaled(about: ExecutorView, strategy: str | None = "simple", demand: Demand | None = None) -> Decision:
    return decide(about, strategy, IDLETIME_S, NOW_S, demand or long_known())


@pytest.mark.parametrize(
    ("tasks", "parallelism", "blocks"),
    [(0, 1, 0), (1, 1, 1), (10, 1, 1), (11, 1, 2), (100, 1, 10), (1000, 1, 10), (100, 0.5, 5), (101, 0.5, 6),
     (1, 0, 1), (1000, 0, 1), (30, 0.1, 1), (300, 0.1, 3), (5, 0.01, 1)],
)  # fmt: skip
def test_scale_out_to_the_number_of_blocks_that_the_tasks_need(
    tasks: int, parallelism: float, blocks: int
) -> None:
    assert scaled(view(tasks=tasks, parallelism=parallelism)).scale_out == blocks


def test_blocks_count_as_capacity_whatever_state_they_are_in() -> None:
    states = [JobState.PENDING, JobState.HELD, JobState.UNKNOWN, JobState.RUNNING]
    blocks = [queued(str(number), state=state) for number, state in enumerate(states)]
    assert scaled(view(*blocks, tasks=40)).scale_out == 0
    assert scaled(view(*blocks, tasks=41)).scale_out == 1


def test_a_block_being_scaled_in_is_not_capacity_but_counts_towards_max_blocks() -> None:
    assert scaled(view(scaling_in("0"), tasks=5)).scale_out == 1
    assert scaled(view(scaling_in("0"), tasks=5, max_blocks=1)).scale_out == 0


def test_min_blocks_are_started_even_without_tasks() -> None:
    assert scaled(view(busy("0"), min_blocks=3)).scale_out == 2


def test_blocks_above_max_blocks_are_left_alone() -> None:
    decision = scaled(view(busy("0"), busy("1"), tasks=100, max_blocks=1))
    assert (decision.scale_out, decision.scale_in) == (0, ())


def test_one_block_is_started_while_the_number_of_workers_is_unknown() -> None:
    assert scaled(view(tasks=1000, workers_per_block=None)).scale_out == 1
    assert scaled(view(queued("0"), tasks=1000, workers_per_block=None)).scale_out == 0


@pytest.mark.parametrize(
    ("blocks", "without_time", "added"),
    [
        ((busy("0"),), 1, 1),
        ((busy("0"), busy("1"), idle("2")), 1, 1),
        ((busy("0"), queued("1")), 1, 0),
        ((busy("0"), queued("1")), 10, 0),
        ((busy("0"), queued("1")), 11, 1),
        ((busy("0"), scaling_in("1")), 11, 2),
        ((queued("0"),), 0, 0),
    ],
)
def test_tasks_for_which_no_running_block_has_enough_time_get_new_blocks(
    blocks: tuple[BlockView, ...], without_time: int, added: int
) -> None:
    assert scaled(view(*blocks, tasks=without_time + 1, without_time=without_time)).scale_out == added


def test_other_tasks_get_blocks_in_addition() -> None:
    assert scaled(view(busy("0"), tasks=31, without_time=1)).scale_out == 3
    assert scaled(view(busy("0"), tasks=31, without_time=1, max_blocks=3)).scale_out == 2


def test_awaited_blocks_for_long_tasks_are_not_scaled_in() -> None:
    blocks = (idle("0"), idle("1"), queued("2"))
    decision = scaled(view(*blocks, tasks=1, without_time=1), "htex_auto_scale")
    assert (decision.scale_out, decision.scale_in) == (0, ("0", "1"))


def test_simple_scales_in_all_blocks_when_all_are_idle() -> None:
    decision = scaled(view(idle("0"), queued("1"), idle("2")))
    assert sorted(decision.scale_in) == ["0", "1", "2"]
    assert "not needed for 120 s" in decision.reason


@pytest.mark.parametrize(
    "not_idle", [busy("9"), idle("9", idle_s=119), queued("9", age_s=10)], ids=["busy", "just idle", "new"]
)
def test_simple_scales_in_nothing_while_one_block_is_not_idle(not_idle: BlockView) -> None:
    assert scaled(view(idle("0"), idle("1"), not_idle)).scale_in == ()


def test_simple_goes_by_the_tasks_if_activity_is_unknown() -> None:
    unknown = BlockView("0", JobState.RUNNING)
    assert scaled(view(unknown)).scale_in == ("0",)
    assert scaled(view(unknown, tasks=1)).scale_in == ()
    assert scaled(view(unknown), demand=long_known(1)).scale_in == ()


def test_nothing_is_scaled_in_before_demand_was_observed_for_an_idle_time() -> None:
    demand = Demand(since_s=NOW_S - 119, peaks=((NOW_S - 119, 0),))
    for strategy in ("simple", "htex_auto_scale"):
        assert scaled(view(idle("0")), strategy, demand).scale_in == ()


def test_htex_auto_scale_scales_in_only_idle_blocks() -> None:
    blocks = (busy("0"), idle("1"), idle("2", idle_s=60), idle("3"), busy("4"))
    assert scaled(view(*blocks, tasks=2), "htex_auto_scale").scale_in == ("1", "3")


def test_htex_auto_scale_keeps_the_blocks_that_the_tasks_need() -> None:
    blocks = (busy("0"), idle("1"), idle("2"))
    assert len(scaled(view(*blocks, tasks=15), "htex_auto_scale").scale_in) == 1
    assert len(scaled(view(*blocks, tasks=5), "htex_auto_scale", long_known(3)).scale_in) == 0


def test_htex_auto_scale_keeps_the_blocks_with_the_most_managers() -> None:
    blocks = (idle("0", managers=4), idle("1", managers=1), idle("2", managers=2), queued("3"))
    assert scaled(view(*blocks, min_blocks=2), "htex_auto_scale").scale_in == ("3", "1")


def test_htex_auto_scale_keeps_min_blocks() -> None:
    assert scaled(view(idle("0"), idle("1"), min_blocks=1), "htex_auto_scale").scale_in == ("0",)


def test_htex_auto_scale_keeps_blocks_of_unknown_activity_while_there_are_tasks() -> None:
    unknown = BlockView("0", JobState.RUNNING)
    assert scaled(view(unknown, busy("1"), tasks=1), "htex_auto_scale").scale_in == ()


def test_a_block_in_an_unknown_state_is_not_scaled_in() -> None:
    lost = queued("0", state=JobState.UNKNOWN)
    assert scaled(view(lost), "simple").scale_in == ()
    assert scaled(view(lost), "htex_auto_scale").scale_in == ()


def test_the_first_block_that_failed_is_replaced_at_once() -> None:
    history = BlockHistory(failures_in_row=1, last_end_s=NOW_S)
    assert scaled(view(tasks=1, history=history)).scale_out == 1


def test_the_next_replacements_are_delayed() -> None:
    decision = scaled(view(tasks=1, history=BlockHistory(failures_in_row=4, last_end_s=NOW_S - 0.25)))
    assert decision.scale_out == 0
    assert decision.decide_again_in_s == pytest.approx(0.75)
    assert scaled(view(tasks=1, history=BlockHistory(failures_in_row=4, last_end_s=NOW_S - 1))).scale_out == 1


@pytest.mark.parametrize(
    ("blocks", "scale_out"),
    [([], 1), ([busy("0")], 1), ([busy("0"), queued("1")], 0), ([queued("1", state=JobState.HELD)], 0)],
)
def test_after_several_failures_one_block_at_a_time_is_tried(blocks: list[BlockView], scale_out: int) -> None:
    history = BlockHistory(failures_in_row=2, last_end_s=NOW_S - 1)
    assert scaled(view(*blocks, tasks=100, history=history)).scale_out == scale_out


def test_retries_slow_down_to_one_a_minute() -> None:
    delays_s = [retry_delay_s(failures) for failures in range(1000)]
    assert delays_s[:5] == [0, 0, 0.25, 0.5, 1]
    assert delays_s == sorted(delays_s)
    assert delays_s[-1] == 60


@pytest.mark.parametrize("strategy", [None, "none"])
def test_none_does_nothing(strategy: str | None) -> None:
    assert scaled(view(tasks=100, min_blocks=1), strategy) == Decision(long_known())
    assert scaled(view(idle("0")), strategy) == Decision(long_known())


def test_none_gives_up_when_all_blocks_have_ended() -> None:
    def after(seconds: float) -> Decision:
        return scaled(view(tasks=3, history=BlockHistory(1, NOW_S - seconds)), "none")

    assert after(20).hopeless is None
    assert after(20).decide_again_in_s == 100
    assert "3 tasks are outstanding" in str(after(120).hopeless)


@pytest.mark.parametrize(
    ("about", "tasks"),
    [
        (view(), 0),
        (view(queued("0"), queued("1"), tasks=3), 20),
        (view(queued("0"), tasks=3, parallelism=0.5), 20),
        (view(queued("0"), tasks=3, parallelism=0), math.inf),
        (view(queued("0"), tasks=3, max_blocks=1), math.inf),
        (view(queued("0"), tasks=3, workers_per_block=None), math.inf),
        (view(tasks=25), 30),
        (view(tasks=250), math.inf),
    ],
)
def test_a_decision_states_how_many_tasks_it_covers(about: ExecutorView, tasks: float) -> None:
    assert scaled(about).covered_tasks == pytest.approx(tasks)


blocks = st.builds(
    BlockView,
    st.uuids().map(str),
    st.sampled_from([JobState.PENDING, JobState.RUNNING, JobState.HELD, JobState.UNKNOWN]),
    managers=st.none() | st.integers(0, 3),
    tasks_held=st.none() | st.integers(0, 3),
    idle_s=st.none() | st.floats(0, 1000),
    is_scaling_in=st.booleans(),
)


@given(
    strategy=st.sampled_from(["simple", "htex_auto_scale"]),
    about=st.builds(
        ExecutorView,
        st.integers(0, 500),
        st.none() | st.integers(1, 60),
        st.integers(0, 3),
        st.integers(3, 12),
        st.floats(0, 1),
        st.lists(blocks, max_size=8).map(tuple),
        st.builds(BlockHistory, st.integers(0, 9), st.none() | st.floats(0, NOW_S)),
    ),
    highest=st.integers(0, 9),
)
def test_no_decision_breaks_the_rules(strategy: str, about: ExecutorView, highest: int) -> None:
    decision = scaled(about, strategy, long_known(highest))
    by_id = {block.block_id: block for block in about.blocks}
    staying = [block for block in about.blocks if not block.is_scaling_in]
    assert not (decision.scale_out and decision.scale_in)
    assert decision.scale_out >= 0
    assert not decision.scale_out or len(about.blocks) + decision.scale_out <= about.max_blocks
    assert not any(
        by_id[block_id].tasks_held or by_id[block_id].is_scaling_in for block_id in decision.scale_in
    )
    assert not decision.scale_in or len(staying) - len(decision.scale_in) >= about.min_blocks
    assert len(set(decision.scale_in)) == len(decision.scale_in)


@given(
    tasks=st.integers(0, 500),
    workers=st.integers(1, 60),
    parallelism=st.floats(0, 1),
    have=st.integers(0, 12),
    strategy=st.sampled_from(["simple", "htex_auto_scale"]),
)
def test_with_constant_demand_one_decision_is_enough(
    tasks: int, workers: int, parallelism: float, have: int, strategy: str
) -> None:
    """The next decision does not change the result of a decision: the number of blocks does not oscillate."""

    def decide_with(block_count: int, demand: Demand) -> Decision:
        blocks = [idle(str(number)) for number in range(block_count)]
        about = view(*blocks, tasks=tasks, workers_per_block=workers, parallelism=parallelism)
        return scaled(about, strategy, demand)

    first = decide_with(have, long_known())
    second = decide_with(have + first.scale_out - len(first.scale_in), first.demand)
    assert (second.scale_out, second.scale_in) == (0, ())
    assert second.covered_tasks >= tasks


def test_demand_is_unknown_before_the_first_observation() -> None:
    assert Demand().highest == 0
    assert not Demand().is_known_for(0, 100)


def test_demand_is_known_for_as_long_as_it_is_observed() -> None:
    demand = Demand().observe(1, 100, 60).observe(1, 150, 60)
    assert demand.is_known_for(50, 150)
    assert not demand.is_known_for(60, 150)


def test_a_peak_that_is_older_than_the_window_is_dropped() -> None:
    demand = Demand().observe(5, 100, 60).observe(1, 159, 60)
    assert demand.highest == 5
    assert demand.observe(1, 161, 60).highest == 1


def test_without_a_window_only_the_last_observation_counts() -> None:
    assert Demand().observe(5, 100, 0).observe(2, 100, 0).highest == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1), st.integers(0, 100))
def test_the_highest_demand_is_the_maximum_within_the_window(
    steps: list[tuple[int, int]], window_s: int
) -> None:
    demand, now_s, seen = Demand(), 0.0, []
    for pause_s, needed in steps:
        now_s += pause_s
        seen.append((now_s, needed))
        demand = demand.observe(needed, now_s, window_s)
        within = [level for at_s, level in seen[:-1] if at_s > now_s - window_s]
        assert demand.highest == max([*within, needed])
        assert len(demand.peaks) <= 10
