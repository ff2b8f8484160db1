"""What workers did within a window."""

from __future__ import annotations

from parsl.dashboard.timeline import MAX_ROWS, Part, timeline
from parsl.eventlog import records
from parsl.vocabulary.task_states import States
from tests.dashboard.known import known_of, ran
from tests.support.event_logs import BEGAN_S


def test_few_tasks_are_shown_one_by_one(tmp_path):
    rows = [ran(0, 2.0, 4.0), ran(1, 2.0, 8.0, manager=1, worker=1, state=int(States.failed))]
    answer = timeline(known_of(tmp_path, records.Tasks(rows)), Part())
    assert answer["rows"] == ["n0, worker 0", "n1, worker 1"]
    assert answer["tasks"] == [
        [0, 0, BEGAN_S + 2, BEGAN_S + 4, 0, False, False], [1, 1, BEGAN_S + 2, BEGAN_S + 8, 0, True, False],
    ]  # fmt: skip


def test_only_tasks_within_the_window_are_shown(tmp_path):
    rows = [ran(0, 2.0, 4.0), ran(1, 5.0, 8.0), ran(2, 9.0, 10.0)]
    answer = timeline(known_of(tmp_path, records.Tasks(rows)), Part(BEGAN_S + 6, BEGAN_S + 7))
    assert [task[0] for task in answer["tasks"]] == [1]


def test_many_tasks_are_summed_up(tmp_path):
    rows = [ran(n, 2.0 + n * 0.01, 2.005 + n * 0.01) for n in range(5000)]
    answer = timeline(known_of(tmp_path, records.Tasks(rows)), Part(BEGAN_S + 2, BEGAN_S + 52))
    assert "tasks" not in answer
    (row,) = answer["busy"]
    assert len(row) == 300
    assert set(row) <= {49, 50, 51}


def test_workers_are_named_with_their_accelerators(tmp_path):
    joined = records.ManagerJoined(0, 7, BEGAN_S, "m", "0", "g0", 1, 2, 4, 1, "3.11", ["0.0", "0.1"])
    answer = timeline(
        known_of(tmp_path, joined, records.Tasks([ran(0, 2.0, 4.0, manager=7, worker=1)])), Part()
    )
    assert answer["rows"] == ["g0, worker 1, GPU 0.1"]


def test_rows_come_in_pages(tmp_path):
    rows = [ran(n, 2.0, 4.0, worker=n) for n in range(MAX_ROWS + 5)]
    answer = timeline(known_of(tmp_path, records.Tasks(rows)), Part(first_row=MAX_ROWS))
    assert answer["rows"][0] == f"n0, worker {MAX_ROWS}"
    assert (len(answer["rows"]), answer["row_count"], len(answer["tasks"])) == (5, MAX_ROWS + 5, 5)


def test_tasks_that_have_not_started_have_no_row(tmp_path):
    row = records.TaskRow(0, 0, 0, int(States.pending), 0, BEGAN_S, None)
    answer = timeline(known_of(tmp_path, records.Tasks([row])), Part())
    assert (answer["rows"], answer["tasks"]) == ([], [])
