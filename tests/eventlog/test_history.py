"""What a reader knows of a run after the records so far."""

from __future__ import annotations

import os

import pytest

from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.eventlog.history import Follower, RunHistory, read_history
from parsl.eventlog.tally import Tally
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row, records_of_run, run_began, write_event_log


def history_of(*given: records.Record) -> RunHistory:
    history = RunHistory()
    for record in (run_began(), records.Executors([records.ExecutorFacts("htex", "HTEX")]), *given):
        history.apply(record)
    return history


def open_row(
    number: int, state: States, launched_s: float | None = None, attempt: int = 0
) -> records.TaskRow:
    return records.TaskRow(number, 0, 0, int(state), attempt, BEGAN_S, launched_s)


def test_a_run_is_known_as_a_whole(tmp_path):
    history = read_history(write_event_log(tmp_path, 1000, fail_every=10, waiting=7))
    assert history.apps == ["app_0", "app_1", "app_2"]
    counts = history.state_counts()
    assert (counts[States.exec_done], counts[States.failed], counts[States.pending]) == (900, 100, 7)
    assert len(history.failures) == 100
    assert [change.state for change in history.blocks[0, "0"]] == ["PENDING", "RUNNING"]
    assert {view.facts.host for view in history.managers.values()} == {"x0", "x1"}
    assert history.end is not None


def test_a_task_is_shown_with_its_place_and_times():
    history = RunHistory()
    for record in records_of_run(10):
        history.apply(record)
    task = history.task(5)
    assert (task.app, task.state, task.executor, task.host, task.worker) == (
        "app_2", "exec_done", "htex", "x1", 1,
    )  # fmt: skip
    assert task.started_s == pytest.approx((task.returned_s or 0) - 0.4)
    assert task.peak_memory == 50_000_000
    with pytest.raises(KeyError):
        history.task(10)


def test_a_start_is_never_before_the_launch():
    history = history_of(records.Tasks([ended_row(0, run_s=100.0)]))
    assert history.task(0).started_s == history.task(0).launched_s


def test_a_tasks_life_is_followed_from_state_to_state():
    history = history_of(records.Apps(["f"]))
    seen = []
    for record in (
        records.Tasks([open_row(0, States.pending)]),
        records.Tasks([open_row(0, States.launched, BEGAN_S + 1)]),
        records.TasksStarted([records.TaskStarted(0, 0, BEGAN_S + 2, 3, 4)]),
        records.Tasks([open_row(0, States.launched, BEGAN_S + 5, attempt=1)]),
        records.TasksStarted([records.TaskStarted(0, 0, BEGAN_S + 2)]),  # late, of the first attempt
        records.TasksStarted([records.TaskStarted(0, 1, BEGAN_S + 4)]),
        records.Tasks([ended_row(0)]),
        records.Tasks([open_row(0, States.launched, BEGAN_S + 5, attempt=1)]),
        records.TasksStarted([records.TaskStarted(0, 1, BEGAN_S + 4)]),
    ):
        history.apply(record)
        task = history.task(0)
        seen.append((task.state, task.started_s and task.started_s - BEGAN_S))
        assert sum(history.counts[0].by_state) == 1
    assert seen[:6] == [
        ("pending", None), ("launched", None), ("running", 2), ("launched", None), ("launched", None),
        ("running", 5),
    ]  # fmt: skip
    assert [state for state, _ in seen[6:]] == ["exec_done"] * 3


def test_tasks_may_arrive_in_any_order():
    history = history_of(records.Apps(["f"]), records.Tasks([ended_row(100)]), records.Tasks([ended_row(2)]))
    assert history.state_counts()[States.exec_done] == 2
    with pytest.raises(KeyError):
        history.task(50)


def test_run_times_are_counted_by_app():
    rows = records.Tasks([ended_row(0, run_s=1.0), ended_row(1, run_s=3.0)])
    counts, tally = history_of(records.Apps(["f"]), rows).counts[0], Tally()
    tally.take(rows)
    times = tally.run_times[0]
    assert (counts.done, times.number, times.total_s, times.max_s) == (2, 2, 4.0, 3.0)


def test_an_unknown_app_after_damage_has_a_name():
    history = history_of(records.Tasks([ended_row(0, app=5)]))
    assert history.task(0).app == "app 5"


def test_the_end_of_a_manager_is_known():
    joined = records.ManagerJoined(0, 0, BEGAN_S, "m", "0", "x0", 1, 4)
    history = history_of(joined, records.ManagerGone(0, 0, BEGAN_S + 9, "its job has ended"))
    view = history.managers[0, 0]
    assert (view.gone_s, view.reason) == (BEGAN_S + 9, "its job has ended")


def test_totals_are_there_before_the_tasks(tmp_path):
    with Follower(write_event_log(tmp_path, 20_000).parent) as follower:
        assert follower.history.summary is not None
        assert follower.history.summary.task_count == 20_000
        while not follower.is_complete or follower.reader.size == 0:
            follower.advance(100_000)
        assert len(follower.history.tasks) >= 20_000
        assert not follower.advance()


@pytest.mark.parametrize(
    ("pid", "started", "expected"),
    [(os.getpid(), started_at(os.getpid()), True), (os.getpid(), 0.5, False), (2**22 + 1, 1.0, False)],
    ids=["alive", "another", "gone"],
)
def test_a_run_goes_on_while_its_driver_lives(tmp_path, pid, started, expected):
    file = EventFile(str(tmp_path / records.EVENT_LOG))
    file.write(run_began(pid=pid, process_started=started))
    with Follower(tmp_path) as follower:
        follower.advance()
        assert follower.is_running() is expected


def test_whether_a_driver_on_another_host_lives_is_unknown(tmp_path):
    file = EventFile(str(tmp_path / records.EVENT_LOG))
    file.write(run_began(host="elsewhere"))
    with Follower(tmp_path) as follower:
        follower.advance()
        assert follower.is_running() is None
        file.write(records.RunEnded(BEGAN_S, 0, {}))
        follower.advance()
        assert follower.is_running() is False


def test_no_manager_is_connected_after_the_end_of_a_run(tmp_path):
    write_event_log(tmp_path / "ended", 10)
    write_event_log(tmp_path / "lost", 10, is_over=False)
    ended, lost = read_history(tmp_path / "ended"), read_history(tmp_path / "lost")
    assert ended.end is not None
    assert {view.gone_s for view in ended.managers.values()} == {ended.end.time_s}
    assert {view.reason for view in ended.managers.values()} == {"the run has ended"}
    assert {view.reason for view in lost.managers.values()} == {"the driver was lost"}


def test_a_manager_that_had_left_before_keeps_its_reason():
    manager = records.ManagerJoined(0, 0, BEGAN_S, "m", "0", "x0", 1, 4)
    gone = records.ManagerGone(0, 0, BEGAN_S + 1, "its job has ended")
    view = history_of(manager, gone, records.RunEnded(BEGAN_S + 9, 0, {})).managers[0, 0]
    assert (view.gone_s, view.reason) == (BEGAN_S + 1, "its job has ended")
