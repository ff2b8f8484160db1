"""Quantiles by app, and stragglers."""

from __future__ import annotations

import pytest

from parsl.dashboard.slow import slow
from parsl.eventlog import records
from parsl.vocabulary.task_states import States
from tests.dashboard.known import known_of, ran
from tests.support.event_logs import BEGAN_S


def test_run_times_and_waiting_times_are_summed_up_by_app(tmp_path):
    rows = [ran(n, 2.0, 4.0) for n in range(9)] + [ran(9, 2.0, 6.0, app=1)]
    work, other = slow(known_of(tmp_path, records.Tasks(rows)))["apps"]
    assert (work["name"], work["ended"], other["name"]) == ("work", 9, "other")
    assert work["run"] == pytest.approx([2.0] * 4)
    assert work["queued"] == pytest.approx([1.0] * 4)
    assert work["depends"] == pytest.approx([1.0] * 4)
    assert work["cpu"] == pytest.approx(0.5)
    assert work["peak_memory"] == 10**9
    assert sum(work["shape"]["counts"]) == 9


def test_a_task_that_took_three_times_as_long_as_the_median_is_a_straggler(tmp_path):
    rows = [ran(n, 2.0, 4.0) for n in range(9)] + [ran(9, 2.0, 12.0, manager=1)]
    (straggler,) = slow(known_of(tmp_path, records.Tasks(rows)))["ended"]
    assert (straggler["id"], straggler["host"]) == (9, "n1")
    assert straggler["ratio"] == pytest.approx(5.0)


def test_a_running_task_is_a_straggler_by_the_time_that_it_has_run(tmp_path):
    rows = [ran(n, 2.0, 4.0) for n in range(9)]
    launched = records.TaskRow(9, 0, 0, int(States.launched), 0, BEGAN_S, BEGAN_S + 1)
    started = records.TasksStarted([records.TaskStarted(9, 0, BEGAN_S + 2, 1, 0)])
    later = records.Summary(BEGAN_S + 20, 10, [], [])
    answer = slow(known_of(tmp_path, records.Tasks([*rows, launched]), started, later))
    assert [task["id"] for task in answer["running"]] == [9]
    assert answer["running"][0]["run_s"] == pytest.approx(18.0)


def test_without_a_known_start_the_time_in_the_executor_is_the_limit(tmp_path):
    row = ran(0, 2.0, 5.0, run_s=-1.0, cpu_s=-1.0, peak_memory=-1, manager=-1, worker=-1)
    (work,) = slow(known_of(tmp_path, records.Tasks([row])))["apps"]
    assert work["run"] is None
    assert work["at_most"] == pytest.approx([4.0] * 4)


def test_a_run_without_tasks_has_no_rows(tmp_path):
    assert slow(known_of(tmp_path)) == {"apps": [], "running": [], "ended": []}
