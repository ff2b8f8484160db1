"""The exceptions for tasks that were ended from outside: their texts, their facts, and the cause."""

from __future__ import annotations

import pickle
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from parsl.app.errors import AppTimeout
from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver.failures import JobEnd, exception_of
from parsl.executors.high_throughput.errors import ManagerLost, VersionMismatch, WorkerLost
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import MANAGER_LOST, Failure
from parsl.jobs.states import JobState, JobStatus

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (protocol.WORKER_LOST, WorkerLost),
        (protocol.MANAGER_LOST, ManagerLost),
        (protocol.TIMED_OUT, AppTimeout),
        (protocol.CANCELLED, CancelledError),
    ],
)
def test_each_kind_has_its_exception(kind: str, type_: type[BaseException]) -> None:
    error = exception_of(Failure(kind, "what happened", host="node"))
    assert type(error) is type_
    assert "what happened" in str(error)


def test_the_error_of_a_lost_worker_has_details() -> None:
    error = exception_of(
        Failure(protocol.WORKER_LOST, "it is gone", "node", "2", "m1", worker=3, signal=9, peak_memory=5)
    )
    assert isinstance(error, WorkerLost)
    assert (error.worker_id, error.hostname) == (3, "node")
    assert error.details["signal"] == 9
    assert error.details["block"] == "2"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WorkerLost(3, "node"), "Task failure due to loss of worker 3 on host node"),
        (ManagerLost("m", "node"), "Task failure due to loss of manager m on host node"),
        (ManagerLost("m", "node", "the power went"), "the power went"),
        (VersionMismatch("a", "b"), "The driver runs a, a manager b. Start both from the same environment"),
    ],
)
def test_errors_have_readable_texts_and_can_be_pickled(error: Exception, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert text in str(error)


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
        (end(JobState.MISSING), "Its job 12.pbs is no longer known to the scheduler."),
    ],
)
def test_the_description_of_a_jobs_end(job_end: JobEnd, text: str) -> None:
    assert str(job_end) == text


def test_the_end_of_a_jobs_stderr_is_shown(tmp_path: Path) -> None:
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
def test_the_end_of_a_job_is_not_the_tasks_fault(
    failure: Failure, job_end: JobEnd | None, is_job_end: bool
) -> None:
    error = exception_of(failure, job_end, walltime_s=600)
    assert isinstance(error, ManagerLost)
    assert error.is_job_end == is_job_end
    assert "was lost with the task" in str(error)
    assert job_end is None or str(job_end) in str(error)
    assert ("needs a longer walltime" in str(error)) == (failure.ran_s == 550)
    assert pickle.loads(pickle.dumps(error)).is_job_end == is_job_end
