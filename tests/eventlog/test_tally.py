"""What is counted from the records: rates, run times, and what runs."""

from __future__ import annotations

import pytest

from parsl.eventlog import records
from parsl.eventlog.tally import MEMORY_S, RunTimes, Tally
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row


def tally_of(*rows: records.TaskRow) -> Tally:
    tally = Tally()
    tally.take(records.Tasks(list(rows)))
    return tally


def ended_at(number: int, after_s: float, run_s: float = 1.0) -> records.TaskRow:
    return ended_row(number, returned_s=BEGAN_S + after_s, run_s=run_s)


@pytest.mark.parametrize("values", [[0.5], [0.001 * n for n in range(1, 1000)], [1e-5, 3600.0, 3600.0]])
def test_quantiles_are_right_to_within_five_per_cent(values):
    times = RunTimes()
    for value in values:
        times.add(value)
    ordered = sorted(values)
    for share in (0.01, 0.5, 0.9, 1.0):
        expected = ordered[max(0, -int(-share * len(values) // 1) - 1)]
        assert times.quantile(share) == pytest.approx(expected, rel=0.055)
    assert times.mean_s == pytest.approx(sum(values) / len(values))


def test_tasks_are_counted_up_to_a_limit():
    times = RunTimes()
    for value in (0.01, 1.0, 2.0, 100.0):
        times.add(value)
    limits = (0.001, 0.1, 1.1, 50.0, 100.0, float("inf"))
    assert [times.number_up_to(limit) for limit in limits] == [0, 1, 2, 3, 4, 4]


def test_without_tasks_there_are_no_run_times():
    assert RunTimes().quantile(0.5) is None
    assert RunTimes().mean_s is None


def test_the_rate_is_that_of_the_last_seconds():
    tally = tally_of(*(ended_at(n, n / 10) for n in range(1000)))
    assert tally.rate(BEGAN_S + 100, BEGAN_S) == pytest.approx(10)


def test_busy_workers_are_known_for_short_tasks_and_long_ones():
    tally = tally_of(*(ended_at(n, n / 10, run_s=0.4) for n in range(1000)))
    assert tally.busy_workers(BEGAN_S + 100, BEGAN_S) == pytest.approx(4)
    tally.take(records.TasksStarted([records.TaskStarted(1001, 0, BEGAN_S)]))
    tally.take(records.Tasks([ended_at(1002, 99, run_s=80.0)]))
    assert tally.busy_workers(BEGAN_S + 100, BEGAN_S) == pytest.approx(5)


def test_workers_are_busy_with_tasks_that_have_ended_before_they_could_be_reported():
    tally = tally_of(*(ended_at(n, n / 2, run_s=1.4) for n in range(200)))
    assert tally.busy_workers(BEGAN_S + 100, BEGAN_S) == pytest.approx(2.8)


def test_if_few_tasks_end_the_rate_is_that_of_a_longer_time():
    tally = tally_of(*(ended_at(n, n * 20) for n in range(30)))
    assert tally.rate(BEGAN_S + 600, BEGAN_S) == pytest.approx(0.05, rel=0.05)


def test_the_rate_of_a_run_that_has_just_begun_is_finite():
    tally = tally_of(*(ended_at(n, 0.1) for n in range(5)))
    assert tally.rate(BEGAN_S + 0.5, BEGAN_S) == pytest.approx(10)
    assert Tally().rate(BEGAN_S, BEGAN_S) == 0


def test_only_the_last_minutes_are_kept():
    tally = tally_of(*(ended_at(n, n) for n in range(5000)))
    assert tally.rate(BEGAN_S + 5000, BEGAN_S) == pytest.approx(1)
    assert tally.rate(BEGAN_S + 5000 + 2 * MEMORY_S, BEGAN_S) == 0


def test_a_task_runs_from_its_report_to_its_next_row():
    tally = Tally()
    tally.take(records.TasksStarted([records.TaskStarted(number, 0, BEGAN_S) for number in range(3)]))
    assert tally.running == {0, 1, 2}
    again = records.TaskRow(1, 0, 0, int(States.fail_retryable), 1, BEGAN_S, None)
    tally.take(records.Tasks([ended_row(0), again]))
    assert tally.running == {2}


def test_the_latest_moment_is_known():
    tally = tally_of(ended_at(0, 5))
    assert tally.last_s == BEGAN_S + 5
    tally.take(records.ManagerGone(0, 0, BEGAN_S + 9, "lost"))
    assert tally.last_s == BEGAN_S + 9


def test_a_task_without_accounting_counts_for_the_rate_only():
    tally = tally_of(ended_at(0, 5, run_s=-1.0))
    assert not tally.run_times
    assert tally.rate(BEGAN_S + 10, BEGAN_S) > 0
