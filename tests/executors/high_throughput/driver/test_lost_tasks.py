"""Tasks lost with their manager fail once the end of their job is known, or after a short time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver import failures as failures_module
from parsl.executors.high_throughput.driver.failures import LostTasks
from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable
from parsl.executors.high_throughput.wire.protocol import MANAGER_LOST, WORKER_LOST, Failure, Task, encode
from parsl.jobs.states import JobState, JobStatus

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tests.conftest import WaitUntil


class Blocks:
    def __init__(self) -> None:
        self.jobs: dict[str, KnownJob] = {}
        self.polls = self.losses = 0

    def known_job(self, block_id: str) -> KnownJob | None:
        return self.jobs.get(block_id)

    def poll(self) -> None:
        self.polls += 1

    def process_lost(self) -> None:
        self.losses += 1


def job(state: JobState, has_ended: bool, answer_age_s: float | None = None) -> KnownJob:
    return KnownJob("7", JobStatus(state), has_ended, answer_age_s)


def failure(block: str = "0", *, is_job_end: bool = False) -> Failure:
    return Failure(MANAGER_LOST, "lost", block=block, is_manager_gone=True, is_job_end=is_job_end)


class Failures:
    """Records when and how the tasks of a table failed."""

    def __init__(self) -> None:
        self.tasks = TaskTable()
        self.errors: dict[int, BaseException] = {}
        self.at_s: dict[int, float] = {}
        for number in range(10):
            future = HTEXFuture(number)
            future.add_done_callback(self._record)
            self.tasks.add(future, Task(number, b"", b""), (), None)

    def _record(self, future: Future[Any]) -> None:
        assert isinstance(future, HTEXFuture)
        error = future.exception(0)
        assert error is not None
        self.errors[future.parsl_executor_task_id] = error
        self.at_s[future.parsl_executor_task_id] = time.monotonic()


@pytest.fixture
def blocks() -> Blocks:
    return Blocks()


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def lost(blocks: Blocks, failures: Failures) -> LostTasks:
    return LostTasks("htex", blocks, failures.tasks, 600)


def test_a_failure_that_no_job_explains_is_not_deferred(
    lost: LostTasks, blocks: Blocks, failures: Failures
) -> None:
    lost.fail([(1, encode(failure()))])  # the manager was started by hand
    assert set(failures.errors) == {1}
    blocks.jobs["0"] = job(JobState.RUNNING, False)
    lost.fail([(2, encode(Failure(MANAGER_LOST, "its result was lost", block="0")))])
    assert set(failures.errors) == {1, 2}
    assert blocks.losses == 0
    lost.fail([(3, encode(Failure(WORKER_LOST, "killed", block="0")))])
    assert set(failures.errors) == {1, 2, 3}
    assert blocks.losses == 1
    lost.fail([(4, b"garbage")])
    assert set(failures.errors) == {1, 2, 3, 4}


def test_failures_are_deferred_until_the_job_has_ended(
    lost: LostTasks, blocks: Blocks, failures: Failures, wait_until: WaitUntil
) -> None:
    blocks.jobs["0"] = job(JobState.RUNNING, False)
    blocks.jobs["1"] = job(JobState.RUNNING, False)
    lost.fail([(number, encode(failure(str(number % 2)))) for number in range(6)])
    wait_until(lambda: blocks.polls)
    assert failures.errors == {}
    blocks.jobs["1"] = job(JobState.TIMEOUT, True)
    lost.jobs_queried()
    wait_until(lambda: len(failures.errors) == 3)
    assert set(failures.errors) == {1, 3, 5}
    assert "was ended at its walltime" in str(failures.errors[1])
    lost.close()
    assert len(failures.errors) == 6
    assert str(failures.errors[0]) == "lost"


@pytest.mark.parametrize(
    ("answer_age_s", "is_job_end", "at_least_s", "at_most_s"),
    [
        (0.0, False, failures_module.CERTAIN_AFTER_S, failures_module.PATIENCE_S),
        (None, True, failures_module.KNOWN_PATIENCE_S, failures_module.PATIENCE_S),
    ],
)
def test_failures_are_not_deferred_for_long_while_the_job_runs_on(
    lost: LostTasks,
    blocks: Blocks,
    failures: Failures,
    wait_until: WaitUntil,
    answer_age_s: float | None,
    is_job_end: bool,
    at_least_s: float,
    at_most_s: float,
) -> None:
    blocks.jobs["0"] = job(JobState.RUNNING, False, answer_age_s)
    began_s = time.monotonic()
    lost.fail([(1, encode(failure(is_job_end=is_job_end)))])
    wait_until(lambda: failures.errors)
    assert at_least_s - 0.01 <= failures.at_s[1] - began_s < at_most_s
    wait_until(lambda: repr(lost) == "<LostTasks 0 in 0 blocks>")


def test_failures_are_not_deferred_for_long_by_a_scheduler_that_does_not_answer(
    lost: LostTasks,
    blocks: Blocks,
    failures: Failures,
    wait_until: WaitUntil,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures_module, "PATIENCE_S", 0.3)
    blocks.jobs["0"] = job(JobState.UNKNOWN, False, None)
    lost.fail([(1, encode(failure()))])
    wait_until(lambda: failures.errors, 60)


def test_a_thread_that_fails_fails_its_tasks_and_is_followed_by_another(
    lost: LostTasks,
    blocks: Blocks,
    failures: Failures,
    wait_until: WaitUntil,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks.jobs["0"] = job(JobState.RUNNING, False)

    def break_down() -> None:
        raise SystemExit("odd")

    monkeypatch.setattr(blocks, "process_lost", break_down)
    lost.fail([(1, encode(failure()))])
    wait_until(lambda: failures.errors)
    assert str(failures.errors[1]) == "lost"
    assert "has failed" in caplog.text
    monkeypatch.undo()
    lost.fail([(2, encode(failure()))])
    wait_until(lambda: blocks.polls)
    lost.close()
    assert set(failures.errors) == {1, 2}
