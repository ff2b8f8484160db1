"""Hours of work on a simulated cluster, as scenarios."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsl.jobs.errors import TooManyJobFailuresError
from parsl.jobs.states import JobState
from tests.jobs.simulator import JobPlan, Simulation

pytestmark = pytest.mark.slow

HOUR_S = 3600
SCALING = ["simple", "htex_auto_scale"]


@pytest.mark.parametrize("strategy", SCALING)
def test_fourteen_tasks_on_blocks_of_48_slots_settle_on_one_block(strategy: str) -> None:
    simulation = Simulation(workers_per_block=48, strategy=strategy)
    simulation.farm.add_tasks(14, HOUR_S + 100)
    simulation.run(HOUR_S)
    assert simulation.block_counts == [1] * HOUR_S
    assert simulation.cluster.cancelled == []


@pytest.mark.parametrize("strategy", SCALING)
def test_a_queue_of_tasks_scales_out_to_max_blocks_and_in_to_none(strategy: str) -> None:
    simulation = Simulation(lambda _: JobPlan(queued_s=300), workers_per_block=10, strategy=strategy)
    simulation.farm.add_tasks(1000, 60)
    simulation.run(10)
    assert simulation.block_counts[-1] == 10
    simulation.run_until_idle(HOUR_S)
    simulation.run(200)
    assert simulation.farm.finished == 1000
    assert simulation.block_counts[-1] == 0
    assert len(simulation.cluster.submissions) == 10
    assert len(simulation.cluster.cancelled) == 10


def test_queued_blocks_count_as_capacity() -> None:
    simulation = Simulation(lambda _: JobPlan(queued_s=HOUR_S), workers_per_block=4)
    simulation.farm.add_tasks(8, 60)
    simulation.run(HOUR_S - 10)
    assert len(simulation.cluster.submissions) == 2


def test_simple_keeps_idle_blocks_while_another_works() -> None:
    simulation = Simulation(workers_per_block=1)
    simulation.farm.add_tasks(4, 30)
    simulation.farm.add_tasks(1, 1000)
    simulation.run(990)
    assert simulation.block_counts[-1] == 5
    simulation.run(150)
    assert simulation.block_counts[-1] == 0


def test_htex_auto_scale_scales_in_idle_blocks_while_another_works() -> None:
    simulation = Simulation(workers_per_block=1, strategy="htex_auto_scale")
    simulation.farm.add_tasks(4, 30)
    simulation.farm.add_tasks(1, 1000)
    simulation.run(30 + 120 - 2)
    assert simulation.block_counts[-1] == 5
    simulation.run(20)
    assert simulation.block_counts[-1] == 1
    assert [block for block, state in simulation.cluster.states().items() if state is JobState.RUNNING] == [
        block for block, managed in simulation.farm.managed.items() if managed.ends_s
    ]


def test_queued_blocks_that_are_no_longer_needed_are_cancelled() -> None:
    def plan(number: int) -> JobPlan:
        return JobPlan(queued_s=0 if number == 0 else HOUR_S)

    simulation = Simulation(plan, workers_per_block=10, strategy="htex_auto_scale")
    simulation.farm.add_tasks(40, 10)
    simulation.run_until_idle(100)
    simulation.farm.add_tasks(1, HOUR_S)
    simulation.run(200)
    assert simulation.cluster.states()["0"] is JobState.RUNNING
    assert sorted(simulation.cluster.cancelled) == ["1", "2", "3"]


@pytest.mark.parametrize("strategy", SCALING)
def test_troughs_shorter_than_the_idle_time_cost_no_block(strategy: str) -> None:
    simulation = Simulation(workers_per_block=5, strategy=strategy, max_idletime_s=120)
    for _ in range(20):
        simulation.farm.add_tasks(50, 20)
        simulation.run(100)
    assert len(simulation.cluster.submissions) == 10
    assert simulation.cluster.cancelled == []


def hour_long_blocks(strategy: str, **limits: int) -> Simulation:
    """Blocks of one hour, and tasks with a known runtime."""

    def plan(_: int) -> JobPlan:
        return JobPlan(queued_s=60, runs_s=HOUR_S, end=JobState.TIMEOUT)

    simulation = Simulation(plan, workers_per_block=2, strategy=strategy, **limits)
    simulation.farm.has_runtimes = True
    return simulation


@pytest.mark.parametrize("strategy", SCALING)
def test_a_task_for_which_no_running_block_has_enough_time_gets_a_new_block(strategy: str) -> None:
    simulation = hour_long_blocks(strategy)
    simulation.farm.add_tasks(1, HOUR_S)
    simulation.run(1800)
    simulation.farm.add_tasks(1, 1700)
    simulation.run(2)
    assert simulation.block_counts[-1] == 1, "there is half an hour left"
    simulation.farm.add_tasks(1, 1900)
    simulation.run(2)
    assert simulation.block_counts[-1] == 2
    simulation.run(100)
    assert len(simulation.farm.managed["1"].ends_s) == 1
    simulation.run_until_idle(HOUR_S)
    assert len(simulation.cluster.submissions) == 2
    assert simulation.farm.finished == 3


def test_a_queued_task_for_which_blocks_no_longer_have_enough_time_gets_a_new_block() -> None:
    simulation = hour_long_blocks("simple")
    simulation.farm.add_tasks(2, 1800)
    simulation.farm.add_tasks(2, 1700)
    simulation.run(1800)
    assert simulation.block_counts[-1] == 2
    simulation.run_until_idle(HOUR_S)
    assert len(simulation.cluster.submissions) == 2


def test_only_an_idle_block_makes_room_for_one_with_more_time() -> None:
    simulation = hour_long_blocks("htex_auto_scale", init_blocks=1, min_blocks=1, max_blocks=1)
    simulation.farm.add_tasks(1, 1000)
    simulation.run(500)
    simulation.farm.add_tasks(1, 3500)
    simulation.run(550)
    assert simulation.cluster.cancelled == []
    simulation.run_until_idle(120 + 30 + 60 + 3500)
    assert simulation.cluster.cancelled == ["0"]
    assert len(simulation.cluster.submissions) == 2


def test_a_task_that_is_too_long_for_any_block_starts_few_blocks() -> None:
    simulation = hour_long_blocks("htex_auto_scale")
    simulation.farm.add_tasks(1, HOUR_S + 1)
    simulation.run(4 * HOUR_S)
    assert len(simulation.cluster.submissions) <= 5


@pytest.mark.parametrize("strategy", SCALING)
def test_min_blocks_are_kept_and_replaced(strategy: str) -> None:
    def plan(number: int) -> JobPlan:
        return JobPlan(runs_s=1000, end=JobState.TIMEOUT) if number < 2 else JobPlan()

    simulation = Simulation(plan, init_blocks=2, min_blocks=2, strategy=strategy)
    simulation.run(990)
    assert simulation.cluster.cancelled == []
    simulation.run(100)
    assert simulation.block_counts[-1] == 2
    assert len(simulation.cluster.submissions) == 4


def test_a_block_that_reaches_its_walltime_is_replaced_at_once_while_there_are_tasks() -> None:
    simulation = Simulation(lambda _: JobPlan(runs_s=600, end=JobState.TIMEOUT), workers_per_block=2)
    simulation.farm.add_tasks(400, 30)
    simulation.run(601)
    assert simulation.block_counts[-10:] == [10] * 10
    simulation.run_until_idle(2 * HOUR_S)
    assert simulation.farm.finished == 400


def test_the_first_block_shows_the_number_of_workers() -> None:
    simulation = Simulation(lambda _: JobPlan(queued_s=60), workers_per_block=4, init_blocks=0)
    simulation.farm.knows_workers = False
    simulation.farm.add_tasks(12, 100)
    simulation.run(59)
    assert len(simulation.cluster.submissions) == 1
    simulation.run(10)
    assert len(simulation.cluster.submissions) == 3


def test_parallelism_shares_slots_between_tasks() -> None:
    simulation = Simulation(workers_per_block=2, parallelism=0.25, init_blocks=0)
    simulation.farm.add_tasks(24, 100)
    simulation.run(20)
    assert len(simulation.cluster.submissions) == 3


def test_a_cancelled_job_counts_until_it_has_ended() -> None:
    simulation = Simulation(workers_per_block=1, max_blocks=3, max_idletime_s=10)
    simulation.cluster.cancel_takes_s = 500
    simulation.farm.add_tasks(3, 10)
    simulation.run(100)
    assert len(simulation.cluster.cancelled) >= 3
    simulation.farm.add_tasks(3, 10)
    simulation.run(100)
    assert len(simulation.cluster.submissions) == 3
    simulation.run(500)
    assert len(simulation.cluster.submissions) > 3


def test_nothing_changes_while_the_scheduler_cannot_be_queried() -> None:
    simulation = Simulation(workers_per_block=1, max_blocks=4)
    simulation.farm.add_tasks(4, HOUR_S)
    simulation.run(20)
    simulation.cluster.is_down = True
    simulation.run(1000)
    assert len(simulation.cluster.submissions) == 4
    assert {status.state for status in simulation.farm.status_facade.values()} == {JobState.RUNNING}


def test_blocks_that_never_work_are_replaced_more_and_more_slowly() -> None:
    simulation = Simulation(lambda _: JobPlan(is_refused=True))
    simulation.farm.add_tasks(1, 10)
    simulation.run(HOUR_S)
    assert 10 <= len(simulation.cluster.submissions) <= 80


def test_blocks_that_never_work_fail_the_tasks_with_the_reason() -> None:
    simulation = Simulation(lambda _: JobPlan(is_refused=True), handler=True)
    simulation.farm.add_tasks(1, 10)
    simulation.run(HOUR_S)
    assert len(simulation.cluster.submissions) == 1
    assert isinstance(simulation.farm.executor_exception, TooManyJobFailuresError)
    assert "would exceed the queue's limit" in str(simulation.farm.failed_with)


def test_a_worker_init_that_breaks_later_starts_few_jobs() -> None:
    def plan(number: int) -> JobPlan:
        is_good = number < 10
        return JobPlan(5, HOUR_S / 2, JobState.TIMEOUT) if is_good else JobPlan(30, 0, JobState.FAILED)

    simulation = Simulation(plan, handler=True, max_blocks=10)
    simulation.farm.add_tasks(100, HOUR_S)
    simulation.run(3 * HOUR_S)
    assert isinstance(simulation.farm.executor_exception, TooManyJobFailuresError)
    assert len(simulation.cluster.submissions) <= 10 + 10 + 8


def test_without_an_error_handler_one_job_per_minute_is_tried() -> None:
    simulation = Simulation(lambda _: JobPlan(30, 0, JobState.FAILED), handler=False, max_blocks=10)
    simulation.farm.add_tasks(100, HOUR_S)
    simulation.run(HOUR_S)
    assert len(simulation.cluster.submissions) <= 10 + 60


def test_blocks_that_are_drained_early_do_not_count_as_failures() -> None:
    simulation = Simulation(lambda _: JobPlan(1, 5), workers_per_block=2, handler=True, max_blocks=4)
    simulation.farm.add_tasks(400, 2)
    simulation.run_until_idle(HOUR_S)
    assert simulation.farm.failed_with is None
    assert simulation.farm.finished == 400


def test_strategy_none_starts_only_the_first_blocks() -> None:
    simulation = Simulation(strategy=None, init_blocks=3)
    simulation.farm.add_tasks(100, 30)
    simulation.run_until_idle(HOUR_S)
    simulation.run(HOUR_S)
    assert simulation.block_counts == [3] * len(simulation.block_counts)


def test_strategy_none_does_not_let_tasks_wait_for_ever() -> None:
    simulation = Simulation(lambda _: JobPlan(runs_s=100, end=JobState.TIMEOUT), strategy="none")
    simulation.farm.add_tasks(100, 30)
    simulation.run(100 + 120 + 20)
    assert "starts no others" in str(simulation.farm.failed_with)


@pytest.mark.parametrize("strategy", SCALING)
def test_an_idle_hour_causes_no_more_queries_than_the_interval_allows(strategy: str) -> None:
    simulation = Simulation(init_blocks=5, min_blocks=5, status_interval_s=60, strategy=strategy)
    simulation.run(HOUR_S)
    assert len(simulation.cluster.status_calls) <= 70


plans = st.builds(
    JobPlan,
    queued_s=st.sampled_from([0, 1, 30, 400]),
    runs_s=st.sampled_from([0, 1, 40, 500]),
    end=st.sampled_from([JobState.COMPLETED, JobState.FAILED, JobState.TIMEOUT, JobState.MISSING]),
    is_refused=st.booleans(),
)
arrivals = st.tuples(st.integers(0, 200), st.integers(1, 60), st.sampled_from([1, 7, 90, 300]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from(SCALING),
    first_plans=st.lists(plans, max_size=8),
    waves=st.lists(arrivals, min_size=1, max_size=6),
    workers=st.integers(1, 50),
    parallelism=st.sampled_from([0, 0.1, 0.5, 1]),
    max_idletime_s=st.sampled_from([0, 10, 120]),
    blocks=st.lists(st.integers(0, 5), min_size=2, max_size=2),
    more=st.integers(1, 5),
    cancel_takes_s=st.sampled_from([0, 3, 100]),
    outage=st.booleans(),
)
def test_all_tasks_finish_and_blocks_settle(
    strategy: str,
    first_plans: list[JobPlan],
    waves: list[tuple[int, int, float]],
    workers: int,
    parallelism: float,
    max_idletime_s: float,
    blocks: list[int],
    more: int,
    cancel_takes_s: float,
    outage: bool,
) -> None:
    min_blocks = min(blocks)
    simulation = Simulation(
        lambda number: first_plans[number] if number < len(first_plans) else JobPlan(),
        strategy=strategy,
        workers_per_block=workers,
        max_idletime_s=max_idletime_s,
        min_blocks=min_blocks,
        init_blocks=max(blocks),
        max_blocks=max(blocks) + more,
        parallelism=parallelism,
    )
    simulation.cluster.cancel_takes_s = cancel_takes_s
    tasks = 0
    for pause_s, count, duration_s in waves:
        simulation.run(pause_s)
        simulation.cluster.is_down = outage and not simulation.cluster.is_down
        simulation.farm.add_tasks(count, duration_s)
        tasks += count
    simulation.cluster.is_down = False
    simulation.run_until_idle(50_000)
    assert simulation.farm.finished == tasks
    simulation.run(2 * max_idletime_s + cancel_takes_s + 1000)
    assert simulation.block_counts[-30:] == [min_blocks] * 30
