"""The rows that the records of a run become."""

from __future__ import annotations

import re
from typing import Any

import pytest

from parsl.eventlog import TRIED_AGAIN, records
from parsl.monitoring.database.rows import RunRows
from parsl.vocabulary.task_states import States
from tests.monitoring.database.runs import BEGINNING, rows_after, states
from tests.support.event_logs import BEGAN_S, ended_row, run_began

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")


def test_a_short_task_has_all_its_rows_from_a_single_record() -> None:
    rows = rows_after(records.Tasks([ended_row(0, manager=0, worker=3)]))
    (task,) = rows["task"]
    assert task["task_func_name"] == "simulate"
    assert (task["task_inputs"], task["task_outputs"], task["task_memoize"]) == ("None", "None", "0")
    assert (task["task_stdin"], task["task_stdout"], task["task_hashsum"]) == (None, "", None)
    assert MOMENT.fullmatch(task["task_time_invoked"]), task
    (attempt,) = rows["try"]
    assert (attempt["hostname"], attempt["block_id"], attempt["task_executor"]) == ("x0", "b0", "htex")
    assert attempt["task_fail_history"] == ""
    assert task["task_time_invoked"] < attempt["task_try_time_launched"] < attempt["task_try_time_running"]
    assert states(rows) == [
        ("pending", 0), ("launched", 0), ("running", 0), ("running_ended", 0), ("exec_done", 0),
    ]  # fmt: skip


def test_a_short_task_has_a_last_resource_sample_and_its_accounting() -> None:
    rows = rows_after(records.Tasks([ended_row(0, manager=0, worker=3)]), interval_s=5.0)
    (sample,) = rows["resource"]
    assert (sample["psutil_process_time_user"], sample["psutil_process_time_system"]) == (0.3, 0.0)
    assert sample["psutil_process_memory_resident"] == 50_000_000
    assert sample["resource_monitoring_interval"] == 5.0
    (accounting,) = rows["parsl_attempt"]
    assert (accounting["manager"], accounting["worker"], accounting["run_s"]) == ("manager-0", 3, 0.4)


def test_without_resource_monitoring_there_are_no_samples() -> None:
    sample = records.ResourceSample(0, 0, BEGAN_S + 1, 5, 2**20, 2**21, 0.5, 1.5, 0.5, 2)
    task = records.Tasks([ended_row(0, manager=0)])
    assert rows_after(records.Samples([sample]), task, interval_s=None)["resource"] == []
    assert len(rows_after(records.Samples([sample]), task)["resource"]) == 2


def test_a_task_in_threads_ran_on_the_host_of_the_driver() -> None:
    row = ended_row(0, executor=1, manager=-1, worker=-1, peak_memory=-1)
    rows = rows_after(records.Tasks([row]), interval_s=5.0)
    assert rows["try"][0]["hostname"] == run_began().host
    assert rows["try"][0]["block_id"] is None
    assert rows["resource"] == []


def test_a_task_on_another_engine_has_a_last_resource_sample() -> None:
    row = ended_row(0, executor=1, manager=-1, worker=-1)
    (sample,) = rows_after(records.Tasks([row]), interval_s=5.0)["resource"]
    assert (sample["psutil_process_time_user"], sample["psutil_process_memory_resident"]) == (0.3, 50_000_000)
    assert sample["psutil_process_memory_percent"] is None


def test_the_reported_start_of_a_long_task_stays() -> None:
    launched = records.TaskRow(0, 0, 0, int(States.launched), 0, BEGAN_S, BEGAN_S + 1)
    started = records.TasksStarted([records.TaskStarted(0, 0, BEGAN_S + 2, 0, 1)])
    ended = ended_row(0, invoked_s=BEGAN_S, launched_s=BEGAN_S + 1, returned_s=BEGAN_S + 9, run_s=6.5)
    rows = rows_after(records.Tasks([launched]), started, started, records.Tasks([ended]))
    assert [name for name, _ in states(rows)].count("running") == 1
    assert rows["try"][-1]["task_try_time_running"].endswith("22.000000")


def test_each_attempt_of_a_retried_task_has_its_states_and_reason() -> None:
    failed = records.AttemptFailed(
        0,
        0,
        0,
        BEGAN_S + 2,
        TRIED_AGAIN,
        "builtins.ValueError",
        "bad input",
        BEGAN_S + 1,
        0.5,
        0,
        1,
        "x0",
        cpu_s=0.4,
        peak_memory=2**20,
    )
    last = ended_row(0, attempt=1, invoked_s=BEGAN_S, launched_s=BEGAN_S + 3, returned_s=BEGAN_S + 4)
    rows = rows_after(failed, records.Tasks([last]))
    assert states(rows) == [
        ("pending", 0), ("launched", 0), ("running", 0), ("running_ended", 0), ("fail_retryable", 0),
        ("pending", 1), ("launched", 1), ("running", 1), ("running_ended", 1), ("exec_done", 1),
    ]  # fmt: skip
    assert [row["task_fail_history"] for row in rows["try"]] == ["ValueError('bad input')", ""]
    attempts = [(row["try_id"], row["manager"], row["worker"], row["cpu_s"]) for row in rows["parsl_attempt"]]
    assert attempts[0] == (0, "manager-0", 1, 0.4)
    samples = [(row["try_id"], row["psutil_process_time_user"]) for row in rows["resource"]]
    assert samples == [(0, 0.4), (1, 0.3)]
    (failure,) = rows["parsl_failure"]
    assert (failure["error"], failure["message"], failure["hostname"]) == (
        "builtins.ValueError", "bad input", "x0",
    )  # fmt: skip


def test_the_last_sample_of_a_lost_worker_has_its_memory() -> None:
    row = ended_row(0, state=States.failed, run_s=2.0, cpu_s=-1.0, peak_memory=2**20)
    (sample,) = rows_after(records.Tasks([row]))["resource"]
    assert (sample["psutil_process_memory_resident"], sample["psutil_process_time_user"]) == (2.0**20, None)


def test_a_task_whose_dependency_has_failed_was_never_launched() -> None:
    row = ended_row(1, state=States.dep_fail, launched_s=None, run_s=-1.0, manager=-1, depends=(0,))
    failed = records.AttemptFailed(
        1,
        0,
        0,
        BEGAN_S + 2,
        "dependency failed",
        "parsl.dataflow.errors.DependencyError",
        "task 0",
        root_task=0,
    )
    rows = rows_after(records.Tasks([row]), failed)
    assert states(rows, 1) == [("pending", 0), ("dep_fail", 0)]
    assert rows["task"][0]["task_depends"] == "0"
    assert rows["try"][-1]["task_fail_history"] == "DependencyError('task 0')"
    assert rows["parsl_failure"][0]["root_task"] == 0


def test_a_join_app_names_the_tasks_that_it_waits_for() -> None:
    extra = records.TaskExtra(joins=[4, 5])
    row = ended_row(0, executor=1, manager=-1, run_s=0.25, extra=extra)
    rows = rows_after(records.Tasks([row]))
    assert rows["try"][0]["task_joins"] == "4,5"
    names = [name for name, _ in states(rows)]
    assert names == ["pending", "launched", "running", "running_ended", "joining", "exec_done"]


@pytest.mark.parametrize(
    "memoized", [{"extra": records.TaskExtra(memoize=True, hashsum="abc")}, {"hashsum": "abc"}]
)
def test_a_memoized_task_never_ran(memoized: dict[str, Any]) -> None:
    row = ended_row(0, state=States.memo_done, launched_s=None, run_s=-1.0, manager=-1, **memoized)
    rows = rows_after(records.Tasks([row]))
    assert states(rows) == [("pending", 0), ("memo_done", 0)]
    assert (rows["task"][0]["task_memoize"], rows["task"][0]["task_hashsum"]) == ("1", "abc")


def test_the_workflow_counts_what_was_executed_and_what_failed_by_itself() -> None:
    kinds = (States.exec_done, States.exec_done, States.memo_done, States.failed, States.dep_fail)
    tasks = records.Tasks([ended_row(number, state=state) for number, state in enumerate(kinds)])
    (workflow,) = rows_after(tasks, records.RunEnded(BEGAN_S + 60, 5, {}))["workflow"][-1:]
    assert (workflow["tasks_completed_count"], workflow["tasks_failed_count"]) == (2, 1)
    assert workflow["time_completed"] > workflow["time_began"]
    assert workflow["workflow_name"] == "train.py"


def test_a_block_has_a_row_per_change_of_its_state_and_a_reason_per_change() -> None:
    changes = [
        records.BlockChanged(0, BEGAN_S, "0", "47", "PENDING", "no node is free"),
        records.BlockChanged(0, BEGAN_S + 1, "0", "47", "PENDING", "the queue is stopped"),
        records.BlockChanged(0, BEGAN_S + 1, "0", "47", "RUNNING"),
    ]
    rows = rows_after(*changes)
    assert [row["status"] for row in rows["block"]] == ["PENDING", "RUNNING"]
    assert [row["reason"] for row in rows["parsl_block_reason"]] == [
        "no node is free", "the queue is stopped", "",
    ]  # fmt: skip


def test_a_node_is_active_until_its_manager_has_gone() -> None:
    rows = rows_after(records.ManagerGone(0, 0, BEGAN_S + 5, "its connection was lost"))
    assert [row["active"] for row in rows["node"]] == [True, False]
    assert (rows["node"][0]["uid"], rows["node"][0]["worker_count"]) == ("manager-0", 4)
    manager = rows["parsl_manager"][-1]
    assert (manager["reason"], manager["accelerators"]) == ("its connection was lost", "0,1")


def test_managers_that_stay_until_the_end_of_the_run_leave_with_it() -> None:
    rows = rows_after(records.RunEnded(BEGAN_S + 60, 0, {}))
    assert [row["active"] for row in rows["node"]] == [True, False]
    assert rows["parsl_manager"][-1]["reason"] == "the run was over"


def test_a_block_that_the_scheduler_has_not_accepted_yet_has_only_a_reason() -> None:
    rows = rows_after(
        records.BlockChanged(0, BEGAN_S, "0", "", "PENDING"),
        records.BlockChanged(0, BEGAN_S, "1", "", "FAILED", "no"),
    )
    assert [(row["block_id"], row["status"]) for row in rows["block"]] == [("1", "FAILED")]
    assert len(rows["parsl_block_reason"]) == 2


def test_records_after_the_end_of_a_task_change_nothing() -> None:
    once = rows_after(records.Tasks([ended_row(0)]))
    late = records.Tasks([records.TaskRow(0, 0, 0, int(States.launched), 0, BEGAN_S, BEGAN_S + 1)])
    assert rows_after(records.Tasks([ended_row(0)]), late, records.Tasks([ended_row(0)])) == once


def test_gaps_are_counted() -> None:
    rows = RunRows()
    for record in (*BEGINNING, records.Gap(BEGAN_S, BEGAN_S + 1, 7, "No space left on device")):
        rows.take(record)
    assert rows.lost_records == 7
    assert rows.record_count == len(BEGINNING) + 1
