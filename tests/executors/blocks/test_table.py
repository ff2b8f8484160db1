from __future__ import annotations

import pytest

from parsl.executors.blocks.table import (
    PROVEN_AFTER_S,
    RECANCEL_AFTER_S,
    RECANCEL_REFUSED_AFTER_S,
    BlockTable,
)
from parsl.executors.blocks.views import BlockActivity, BlockHistory, BlockView
from parsl.jobs.states import JobState, JobStatus

IDLE = BlockActivity(managers=1, workers=4, tasks=0, idle_s=30)
BUSY = BlockActivity(managers=1, workers=4, tasks=2, idle_s=0)


def table_of(count: int) -> BlockTable:
    """A table whose blocks 0, 1, ... were submitted at 100 s, as jobs "j0", "j1", ..."""
    table = BlockTable()
    for block_id in table.reserve(count, now_s=100):
        table.submitted(block_id, f"j{block_id}")
    return table


def state_of(table: BlockTable, block_id: str = "0") -> JobState:
    return table.statuses()[block_id].state


def test_blocks_are_numbered() -> None:
    table = BlockTable()
    assert table.reserve(2, 0) == ["0", "1"]
    assert table.reserve(1, 0) == ["2"]
    assert repr(table) == "<BlockTable 3 blocks, 3 live, 0 scaling in>"


def test_a_block_counts_before_it_is_submitted() -> None:
    table = BlockTable()
    table.reserve(2, 0)
    assert [view.state for view in table.views(5)] == [JobState.PENDING] * 2
    assert table.reserve(5, 0, max_live=3) == ["2"]
    assert table.reserve(5, 0, max_live=3) == []
    assert table.live_jobs() == []


def test_a_failed_submission_is_a_failed_block() -> None:
    table = BlockTable()
    table.reserve(1, 0)
    table.submission_failed("0", "no such queue", 1)
    assert table.statuses()["0"].message == "no such queue"
    assert state_of(table) is JobState.FAILED
    assert table.views(1) == ()
    assert table.history() == BlockHistory(1, 1)


def test_the_scheduler_reports_the_state_of_a_block() -> None:
    table = table_of(1)
    table.observe_status("0", JobStatus(JobState.RUNNING), 110)
    assert state_of(table) is JobState.RUNNING
    table.observe_status("0", JobStatus(JobState.FAILED, exit_code=3), 120)
    assert table.statuses()["0"].exit_code == 3
    assert table.live_jobs() == []


def test_an_end_is_final() -> None:
    table = table_of(1)
    table.observe_status("0", JobStatus(JobState.FAILED), 110)
    table.observe_status("0", JobStatus(JobState.RUNNING), 120)
    assert state_of(table) is JobState.FAILED


def test_an_unknown_state_changes_nothing() -> None:
    table = table_of(1)
    table.observe_status("0", JobStatus(JobState.RUNNING), 110)
    table.observe_status("0", JobStatus(JobState.UNKNOWN), 120)
    assert state_of(table) is JobState.RUNNING


@pytest.mark.parametrize("reported", [JobState.PENDING, JobState.HELD, JobState.MISSING, JobState.UNKNOWN])
def test_a_connected_manager_outranks_the_scheduler(reported: JobState) -> None:
    table = table_of(1)
    table.observe_activity({"0": BUSY}, 110)
    table.observe_status("0", JobStatus(reported), 110)
    assert state_of(table) is JobState.RUNNING


@pytest.mark.parametrize(
    "reported", [JobState.FAILED, JobState.COMPLETED, JobState.TIMEOUT, JobState.CANCELLED]
)
def test_a_known_end_outranks_a_connected_manager(reported: JobState) -> None:
    table = table_of(1)
    table.observe_activity({"0": BUSY}, 110)
    table.observe_status("0", JobStatus(reported), 110)
    assert state_of(table) is reported


def test_a_missing_block_whose_manager_connects_is_back() -> None:
    table = table_of(1)
    table.observe_activity({}, 110)
    table.observe_status("0", JobStatus(JobState.MISSING), 110)
    assert table.views(110) == ()
    assert table.observe_activity({"0": IDLE, "77": IDLE}, 120)
    assert state_of(table) is JobState.RUNNING
    assert table.live_jobs() == [("0", "j0")]
    assert not table.observe_activity({"0": IDLE, "77": IDLE}, 121)


def test_surplus_blocks_are_the_newest_that_have_not_begun() -> None:
    table = table_of(4)
    table.observe_activity({"0": IDLE, "3": BUSY}, 110)
    assert table.surplus(4) == []
    assert table.surplus(3) == ["2"]
    assert table.surplus(0) == ["2", "1"]


def test_blocks_being_scaled_in_are_not_surplus() -> None:
    table = table_of(4)
    table.observe_activity({"0": BUSY, "1": BUSY, "2": BUSY}, 110)
    table.scale_in(["2"], 111)
    assert table.surplus(3) == []
    assert table.surplus(2) == ["3"]


def test_a_job_that_completes_without_any_manager_has_not_worked() -> None:
    table = table_of(1)
    table.observe_activity({}, 110)
    table.observe_status("0", JobStatus(JobState.COMPLETED, exit_code=0), 110)
    assert state_of(table) is JobState.MISSING
    assert "before any manager" in str(table.statuses()["0"].message)


def test_a_manager_that_connected_only_briefly_counts() -> None:
    table = table_of(1)
    assert table.manager_connected("0", 105)
    assert not table.manager_connected("9", 105)
    table.observe_activity({}, 110)
    table.observe_status("0", JobStatus(JobState.COMPLETED, exit_code=0), 110)
    assert state_of(table) is JobState.COMPLETED


def test_without_known_managers_a_completed_job_is_completed() -> None:
    table = table_of(1)
    table.observe_activity(None, 110)
    table.observe_status("0", JobStatus(JobState.COMPLETED), 110)
    assert state_of(table) is JobState.COMPLETED


def test_the_paths_of_the_output_stay_known() -> None:
    table = table_of(1)
    table.observe_status("0", JobStatus(JobState.RUNNING, stdout_path="/o", stderr_path="/e"), 110)
    table.observe_status("0", JobStatus(JobState.MISSING), 120)
    assert (table.statuses()["0"].stdout_path, table.statuses()["0"].stderr_path) == ("/o", "/e")


def test_a_block_being_scaled_in_is_scaled_in_however_it_ends() -> None:
    table = table_of(2)
    assert table.scale_in(["0", "nonsense"], 110) == [("0", "j0")]
    assert table.scale_in(["0"], 110) == []
    table.observe_status("0", JobStatus(JobState.FAILED, exit_code=143), 120)
    assert state_of(table) is JobState.SCALED_IN
    assert table.history() == BlockHistory()
    assert repr(table) == "<BlockTable 2 blocks, 1 live, 0 scaling in>"


def test_a_cancelled_block_is_shown_as_scaled_in_but_live_until_it_has_ended() -> None:
    table = table_of(1)
    table.scale_in(["0"], 110)
    assert state_of(table) is JobState.PENDING
    table.cancel_answered("0", True, 110)
    assert state_of(table) is JobState.SCALED_IN
    assert [view.is_scaling_in for view in table.views(110)] == [True]


def test_a_block_scaled_in_during_its_submission_is_cancelled_once_it_has_a_job() -> None:
    table = BlockTable()
    table.reserve(1, 100)
    table.take_unsubmitted()
    assert table.scale_in(["0"], 101) == [("0", None)]
    assert table.submitted("0", "j0")


@pytest.mark.parametrize(
    ("is_accepted", "wait_s"), [(True, RECANCEL_AFTER_S), (False, RECANCEL_REFUSED_AFTER_S)]
)
def test_a_job_that_does_not_end_is_cancelled_again(is_accepted: bool, wait_s: float) -> None:
    table = table_of(2)
    table.scale_in(["0"], 100)
    table.cancel_answered("0", is_accepted, 100)
    assert table.overdue_cancels(100 + wait_s - 1) == []
    assert table.overdue_cancels(100 + wait_s) == [("0", "j0")]
    assert table.overdue_cancels(100 + wait_s) == []


def test_views_show_what_managers_do() -> None:
    table = table_of(3)
    table.observe_activity({"1": BUSY, "2": IDLE}, 110)
    assert table.views(120) == (
        BlockView("0", JobState.PENDING, managers=0, tasks_held=0, idle_s=20),
        BlockView("1", JobState.RUNNING, managers=1, tasks_held=2, idle_s=0),
        BlockView("2", JobState.RUNNING, managers=1, tasks_held=0, idle_s=30),
    )


def test_views_show_that_activity_is_unknown() -> None:
    table = table_of(2)
    table.observe_activity(None, 110)
    table.observe_status("1", JobStatus(JobState.RUNNING), 110)
    assert table.views(120) == (
        BlockView("0", JobState.PENDING, idle_s=20),
        BlockView("1", JobState.RUNNING),
    )


def test_failures_in_a_row_are_counted_until_a_block_has_proven_itself() -> None:
    table = table_of(4)
    table.observe_activity({}, 101)
    for block_id in ("0", "1"):
        table.observe_status(block_id, JobStatus(JobState.FAILED), 101)
    assert table.history() == BlockHistory(2, 101)
    table.observe_activity({"2": IDLE}, 102)
    assert table.history().failures_in_row == 2
    table.observe_activity({"2": IDLE}, 102 + PROVEN_AFTER_S)
    assert table.history().failures_in_row == 0
    table.observe_status("3", JobStatus(JobState.FAILED), 120)
    assert table.history() == BlockHistory(1, 120, have_connected=True)
    table.observe_activity({"2": IDLE}, 130)
    assert table.history().failures_in_row == 1, "the same block proves nothing new"
    table.observe_status("2", JobStatus(JobState.TIMEOUT), 140)
    assert table.history() == BlockHistory(0, 140, have_connected=True)


def test_queued_jobs_are_cancelled_first_and_the_newest_first() -> None:
    table = BlockTable()
    for block_id in table.reserve(4, 0.0):
        table.submitted(block_id, f"j{block_id}")
    table.reserve(1, 0.0)
    table.observe_status("3", JobStatus(JobState.RUNNING), 1.0)
    table.observe_status("0", JobStatus(JobState.RUNNING), 1.0)
    assert table.jobs_to_cancel() == ["j2", "j1", "j3", "j0"]


def test_blocks_are_submitted_in_their_order() -> None:
    table = BlockTable()
    table.reserve(3, 0)
    table.scale_in(["1"], 0)
    assert state_of(table, "1") is JobState.SCALED_IN
    assert table.take_unsubmitted() == "0"
    table.submission_delayed("0", "busy", 1)
    assert table.unsubmitted() == ["0", "2"]
    assert [table.take_unsubmitted() for _ in range(3)] == ["0", "2", None]


def test_a_block_that_was_scaled_in_during_a_failed_submission_does_not_wait_again() -> None:
    table = BlockTable()
    table.reserve(1, 0)
    table.take_unsubmitted()
    table.scale_in(["0"], 1)
    assert state_of(table) is JobState.PENDING
    table.submission_delayed("0", "busy", 2)
    assert state_of(table) is JobState.SCALED_IN
    assert table.unsubmitted() == []


def test_blocks_that_have_a_job_do_not_fail_with_the_others() -> None:
    table = table_of(1)
    table.reserve(2, 0)
    table.fail_unsubmitted("refused", 1)
    assert [status.state for status in table.statuses().values()] == [
        JobState.PENDING,
        JobState.FAILED,
        JobState.FAILED,
    ]
