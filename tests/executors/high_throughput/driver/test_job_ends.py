"""What users read about a task that was lost with its manager, and whether it is a failure of the task's."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver.failures import exception_of
from parsl.executors.high_throughput.driver.job_ends import JobEnd
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.executors.high_throughput.wire.protocol import MANAGER_LOST, Failure
from parsl.jobs.states import JobState, JobStatus

if TYPE_CHECKING:
    from pathlib import Path


def end(state: JobState, message: str | None = None, exit_code: int | None = None) -> JobEnd:
    return JobEnd.of(KnownJob("12.pbs", JobStatus(state, message, exit_code), True, 0.0))


def lost(**details: object) -> Failure:
    return Failure(MANAGER_LOST, "Manager m on host h was lost with the task.", **details)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job_end", "text"),
    [
        (end(JobState.TIMEOUT, exit_code=-29), "Its job 12.pbs was ended at its walltime, exit code -29."),
        (end(JobState.CANCELLED, "by root."), "Its job 12.pbs was cancelled: by root."),
        (
            end(JobState.FAILED, exit_code=137),
            "Its job 12.pbs has failed, exit code 137 (ended by signal 9 (SIGKILL)).",
        ),
        (end(JobState.FAILED, exit_code=1), "Its job 12.pbs has failed, exit code 1."),
        (end(JobState.MISSING), "Its job 12.pbs is not known to the scheduler any more."),
    ],
)
def test_an_end_in_words(job_end: JobEnd, text: str) -> None:
    assert str(job_end) == text


def test_the_end_of_its_stderr_is_shown(tmp_path: Path) -> None:
    (tmp_path / "e").write_text("x" * 9000 + "\nthe last word\n")
    status = JobStatus(JobState.FAILED, stderr_path=str(tmp_path / "e"))
    text = str(JobEnd.of(KnownJob(1, status, True, 0.0)))
    assert text.endswith("x\nthe last word")
    assert len(text) < 2000


@pytest.mark.parametrize(
    ("failure", "job_end", "is_job_end"),
    [
        (lost(), None, False),
        (lost(is_job_end=True), None, True),
        (lost(), end(JobState.TIMEOUT), True),
        (lost(), end(JobState.CANCELLED), True),
        (lost(), end(JobState.FAILED), False),
        (lost(), end(JobState.MISSING), False),
        (lost(is_job_end=True), end(JobState.FAILED), True),
        (lost(is_job_end=True, ran_s=500.0), end(JobState.TIMEOUT), True),
        (lost(is_job_end=True, ran_s=550.0), end(JobState.TIMEOUT), False),
    ],
)
def test_what_was_the_end_of_a_job_is_none_of_the_tasks_failures(
    failure: Failure, job_end: JobEnd | None, is_job_end: bool
) -> None:
    error = exception_of(failure, job_end, walltime_s=600)
    assert isinstance(error, ManagerLost)
    assert error.is_job_end == is_job_end
    assert "was lost with the task" in str(error)
    assert job_end is None or str(job_end) in str(error)
    assert ("needs a longer walltime" in str(error)) == (failure.ran_s == 550)
    assert pickle.loads(pickle.dumps(error)).is_job_end == is_job_end
