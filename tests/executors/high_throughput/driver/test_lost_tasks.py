"""Tasks that were lost with their manager wait until it is known how the job ended, and not for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver import lost_tasks
from parsl.executors.high_throughput.driver.lost_tasks import LostTasks
from parsl.executors.high_throughput.wire.protocol import MANAGER_LOST, WORKER_LOST, Failure
from parsl.jobs.states import JobState, JobStatus

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


class Owner:
    label = "owner"

    def __init__(self) -> None:
        self.jobs: dict[str, KnownJob] = {}
        self.polls = self.troubles = 0

    def known_job(self, block_id: str) -> KnownJob | None:
        return self.jobs.get(block_id)

    def poll(self) -> None:
        self.polls += 1

    def process_lost(self) -> None:
        self.troubles += 1


def job(state: JobState, has_ended: bool, answer_age_s: float | None = None) -> KnownJob:
    return KnownJob("7", JobStatus(state), has_ended, answer_age_s)


def failure(block: str = "0", *, is_job_end: bool = False) -> Failure:
    return Failure(MANAGER_LOST, "lost", block=block, is_manager_gone=True, is_job_end=is_job_end)


class Settled:
    def __init__(self) -> None:
        self.errors: dict[int, BaseException] = {}
        self.at_s: dict[int, float] = {}

    def __call__(self, task_id: int, error: BaseException) -> None:
        assert task_id not in self.errors
        self.errors[task_id] = error
        self.at_s[task_id] = time.monotonic()


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def lost(owner: Owner, settled: Settled) -> LostTasks:
    return LostTasks("owner", owner, 600, settled)


def test_what_no_job_explains_is_not_kept_back(lost: LostTasks, owner: Owner) -> None:
    assert not lost.take(1, failure())  # a manager that somebody has started by hand
    owner.jobs["0"] = job(JobState.RUNNING, False)
    assert not lost.take(1, Failure(MANAGER_LOST, "its result was lost", block="0"))
    assert owner.troubles == 0
    assert not lost.take(1, Failure(WORKER_LOST, "killed", block="0"))
    assert owner.troubles == 1


def test_the_end_of_the_job_is_waited_for(
    lost: LostTasks, owner: Owner, settled: Settled, wait_until: WaitUntil
) -> None:
    owner.jobs["0"] = job(JobState.RUNNING, False)
    owner.jobs["1"] = job(JobState.RUNNING, False)
    assert all(lost.take(number, failure(str(number % 2))) for number in range(6))
    wait_until(lambda: owner.polls)
    assert settled.errors == {}
    owner.jobs["1"] = job(JobState.TIMEOUT, True)
    lost.wake()
    wait_until(lambda: len(settled.errors) == 3)
    assert set(settled.errors) == {1, 3, 5}
    assert "was ended at its walltime" in str(settled.errors[1])
    lost.close()
    assert len(settled.errors) == 6
    assert str(settled.errors[0]) == "lost"


@pytest.mark.parametrize(
    ("answer_age_s", "is_job_end", "at_least_s", "at_most_s"),
    [
        (0.0, False, lost_tasks.CERTAIN_AFTER_S, lost_tasks.PATIENCE_S),
        (None, True, lost_tasks.KNOWN_PATIENCE_S, lost_tasks.PATIENCE_S),
    ],
)
def test_a_job_that_goes_on_is_not_waited_for(
    lost: LostTasks,
    owner: Owner,
    settled: Settled,
    wait_until: WaitUntil,
    answer_age_s: float | None,
    is_job_end: bool,
    at_least_s: float,
    at_most_s: float,
) -> None:
    owner.jobs["0"] = job(JobState.RUNNING, False, answer_age_s)
    began_s = time.monotonic()
    assert lost.take(1, failure(is_job_end=is_job_end))
    wait_until(lambda: settled.errors)
    assert at_least_s - 0.01 <= settled.at_s[1] - began_s < at_most_s
    wait_until(lambda: repr(lost) == "<LostTasks 0 in 0 blocks>")


def test_a_scheduler_that_does_not_answer_is_not_waited_for_for_long(
    lost: LostTasks,
    owner: Owner,
    settled: Settled,
    wait_until: WaitUntil,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lost_tasks, "PATIENCE_S", 0.3)
    owner.jobs["0"] = job(JobState.UNKNOWN, False, None)
    assert lost.take(1, failure())
    wait_until(lambda: settled.errors, 60)


def test_a_thread_that_cannot_go_on_settles_what_it_has_and_is_followed_by_another(
    lost: LostTasks,
    owner: Owner,
    settled: Settled,
    wait_until: WaitUntil,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner.jobs["0"] = job(JobState.RUNNING, False)

    def break_down() -> None:
        raise SystemExit("odd")

    monkeypatch.setattr(owner, "process_lost", break_down)
    assert lost.take(1, failure())
    wait_until(lambda: settled.errors)
    assert str(settled.errors[1]) == "lost"
    assert "has failed" in caplog.text
    monkeypatch.undo()
    assert lost.take(2, failure())
    wait_until(lambda: owner.polls)
    lost.close()
    assert set(settled.errors) == {1, 2}
