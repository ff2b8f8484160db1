"""Job states, and the output of a job in its status."""

from __future__ import annotations

import pytest

from parsl.errors import ParslError
from parsl.jobs.errors import TooManyJobFailuresError
from parsl.jobs.states import TERMINAL_STATES, JobState, JobStatus

LIMIT = JobStatus.SUMMARY_TRUNCATION_THRESHOLD


@pytest.mark.parametrize("state", list(JobState))
def test_terminal(state):
    assert JobStatus(state).terminal is (state.name not in ("UNKNOWN", "PENDING", "RUNNING", "HELD"))
    assert (state in TERMINAL_STATES) is JobStatus(state).terminal


def test_numbers_do_not_change():
    assert (JobState.UNKNOWN, JobState.PENDING, JobState.RUNNING, JobState.CANCELLED) == (0, 1, 2, 3)
    assert (JobState.COMPLETED, JobState.FAILED, JobState.TIMEOUT, JobState.HELD) == (4, 5, 6, 7)
    assert (JobState.MISSING, JobState.SCALED_IN) == (8, 9)


def test_str_and_repr_show_the_known_facts():
    status = JobStatus(JobState.FAILED, "node lost", exit_code=3, stdout_path="out")
    assert str(status) == "JobState.FAILED (node lost) exit code 3"
    assert status.status_name == "FAILED"
    assert repr(status) == (
        "<JobStatus JobState.FAILED, message='node lost', exit_code=3, stdout_path='out', stderr_path=None>"
    )


def test_short_output_is_shown_whole(tmp_path):
    (tmp_path / "out").write_text("x" * LIMIT)
    status = JobStatus(JobState.COMPLETED, stdout_path=str(tmp_path / "out"))
    assert status.stdout == status.stdout_summary == "x" * LIMIT


def test_long_output_is_shortened_in_the_middle(tmp_path):
    text = "head " + "x" * 1_000_000 + " tail"
    (tmp_path / "err").write_text(text)
    status = JobStatus(JobState.FAILED, stderr_path=str(tmp_path / "err"))
    assert status.stderr == text
    assert len(status.stderr_summary) <= LIMIT
    assert status.stderr_summary.startswith("head ")
    assert status.stderr_summary.endswith(" tail")
    assert "\n...\n" in status.stderr_summary


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, LIMIT + 3, 2 * LIMIT])
def test_summary_around_the_limit(tmp_path, size):
    (tmp_path / "out").write_text("x" * size)
    summary = JobStatus(JobState.COMPLETED, stdout_path=str(tmp_path / "out")).stdout_summary
    assert len(summary) <= LIMIT


def test_binary_output_is_shown_as_well_as_possible(tmp_path):
    (tmp_path / "out").write_bytes(b"\xff\x00" * LIMIT)
    status = JobStatus(JobState.COMPLETED, stdout_path=str(tmp_path / "out"))
    assert "\ufffd" in status.stdout
    assert "\ufffd" in status.stdout_summary


def test_missing_output_is_none(tmp_path):
    for path in (None, str(tmp_path / "none"), str(tmp_path)):
        status = JobStatus(JobState.COMPLETED, stdout_path=path, stderr_path=path)
        assert (status.stdout, status.stderr, status.stdout_summary, status.stderr_summary) == (None,) * 4


def test_too_many_failures_is_a_parsl_error():
    assert issubclass(TooManyJobFailuresError, ParslError)
