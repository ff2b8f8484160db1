"""The blocks of one executor, on a passive provider."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.blocks.views import BlockActivity
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.errors import SubmitException
from tests.executors.fakes import FakeExecutor, FakeProvider
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


def states_of(executor: FakeExecutor) -> list[JobState]:
    return [status.state for status in executor.status_facade.values()]


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def executor(provider: FakeProvider) -> FakeExecutor:
    return FakeExecutor(provider)


def test_start_submits_the_first_blocks() -> None:
    provider = FakeProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    assert executor.blocks.start() == ["0", "1"]
    assert provider.commands == [
        ("manager --block 0", "parsl.fake.block-0"),
        ("manager --block 1", "parsl.fake.block-1"),
    ]
    assert executor.blocks_to_job_id == {"0": "j1", "1": "j2"}
    assert executor.job_ids_to_block == {"j1": "0", "j2": "1"}
    assert executor.workers_per_block == 8


def test_a_failed_submission_is_a_failed_block(provider: FakeProvider, executor: FakeExecutor) -> None:
    provider.raises = RuntimeError("no such queue")
    assert executor.blocks.start() == ["0"]
    status = executor.status_facade["0"]
    assert status.state is JobState.FAILED
    assert status.message == "The block could not be submitted: RuntimeError: no such queue"
    assert executor.heard.changes == 1


def test_an_error_in_the_launch_command_is_a_failed_block(
    executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(block_id: str) -> str:
        raise KeyError("unknown_field")

    monkeypatch.setattr(executor, "launch_command", broken)
    executor.blocks.start()
    assert "KeyError: 'unknown_field'" in str(executor.status_facade["0"].message)


def test_jobs_are_queried_in_one_call_and_only_until_they_end() -> None:
    provider = FakeProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    provider.states["j2"] = JobStatus(JobState.FAILED, exit_code=9)
    executor.status()
    executor.status()
    assert provider.queries == [["j1", "j2", "j3"], ["j1", "j3"]]
    assert executor.status_facade["1"].exit_code == 9


def test_the_scheduler_is_queried_once_per_interval(provider: FakeProvider, executor: FakeExecutor) -> None:
    executor.blocks.start()
    queried_at_s = []
    for second in range(200):
        executor.now_s = second
        before = len(provider.queries)
        executor.poll_facade()
        queried_at_s += [second] * (len(provider.queries) - before)
    assert queried_at_s == [2, 12, 32, 62, 92, 122, 152, 182]


def test_a_provider_with_leftovers_is_queried_without_jobs() -> None:
    class Provider(FakeProvider):
        has_leftovers = True

    provider = Provider(init_blocks=0)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    for second in range(60):
        executor.now_s = second
        executor.poll_facade()
    assert provider.queries
    assert not any(provider.queries)


def test_the_end_of_a_job_causes_a_query_at_once(provider: FakeProvider, executor: FakeExecutor) -> None:
    executor.blocks.start()
    executor.poll_facade()
    provider.states["j1"] = JobStatus(JobState.FAILED)
    assert provider.on_job_end is not None
    wakes = executor.heard.changes
    provider.on_job_end("j1")
    assert executor.heard.changes == wakes + 1
    executor.poll_facade()
    assert states_of(executor) == [JobState.FAILED]


def test_a_job_may_end_before_its_submission_returns(provider: FakeProvider, executor: FakeExecutor) -> None:
    def ends(job_id: str) -> None:
        provider.states[job_id] = JobStatus(JobState.FAILED)
        executor.blocks.job_ended(job_id)
        executor.poll_facade()  # too early: the block of this job is not known yet

    provider.before_submit_returns = ends
    executor.blocks.start()
    executor.poll_facade()
    assert states_of(executor) == [JobState.FAILED]


def test_lost_managers_cause_few_queries(provider: FakeProvider, executor: FakeExecutor) -> None:
    executor.blocks.start()
    executor.now_s = 1
    for _ in range(100):
        executor.blocks.process_lost()
        executor.poll_facade()
        executor.now_s += 0.01
    assert len(provider.queries) <= 2


def test_a_scheduler_that_fails_is_logged_once(
    provider: FakeProvider, executor: FakeExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    executor.blocks.start()
    executor.status()
    provider.raises = TimeoutError("qstat hangs")
    for _ in range(5):
        executor.status()
    assert states_of(executor) == [JobState.PENDING]
    assert [record.message for record in caplog.records] == ["FakeProvider.status failed; Parsl will retry"]
    provider.raises = None
    executor.status()
    provider.raises = TimeoutError("again")
    executor.status()
    assert len(caplog.records) == 2


def test_an_answer_with_too_few_statuses_is_ignored(
    provider: FakeProvider, executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor.blocks.start()
    monkeypatch.setattr(provider, "status", lambda job_ids: [])
    assert executor.status()["0"].state is JobState.PENDING


def test_exactly_the_given_blocks_are_scaled_in() -> None:
    provider = FakeProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    assert executor.blocks.scale_in(["1", "1", "nonsense"]) == ["1"]
    assert provider.cancelled == ["j2"]
    assert states_of(executor) == [JobState.PENDING, JobState.SCALED_IN, JobState.PENDING]
    assert executor.blocks.scale_in(["1"]) == []


def test_idle_blocks_are_scaled_in_first() -> None:
    provider = FakeProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    executor.activity = {
        "0": BlockActivity(1, 4, tasks=1, idle_s=0),
        "1": BlockActivity(1, 4, tasks=0, idle_s=50),
        "2": BlockActivity(1, 4, tasks=0, idle_s=10),
    }
    executor.blocks.start()
    executor.poll_facade()
    assert executor.scale_in_facade(3, max_idletime=20) == ["1"]
    assert executor.scale_in_facade(2) == ["2", "0"]
    assert executor.scale_in_facade(2) == []


def test_a_block_scaled_in_during_its_submission_is_cancelled(
    provider: FakeProvider, executor: FakeExecutor
) -> None:
    def scale_in(job_id: str) -> None:
        executor.blocks.scale_in(["0"])

    provider.before_submit_returns = scale_in
    executor.blocks.start()
    assert provider.cancelled == ["j1"]
    assert states_of(executor) == [JobState.SCALED_IN]


def test_a_refused_cancellation_is_repeated(provider: FakeProvider, executor: FakeExecutor) -> None:
    executor.blocks.start()
    provider.cancels = False
    executor.blocks.scale_in(["0"])
    executor.poll_facade()
    assert provider.cancelled == ["j1"]
    executor.now_s = 11
    executor.poll_facade()
    assert provider.cancelled == ["j1", "j1"]


def test_no_block_is_started_after_cancel_all() -> None:
    provider = FakeProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    assert executor.blocks.cancel_all() == ["0", "1"]
    assert provider.cancelled == ["j1", "j2"]
    assert executor.scale_out_facade(1) == []
    assert executor.blocks.cancel_all() == []


def two_queued_behind_two_running_blocks() -> tuple[FakeProvider, FakeExecutor]:
    provider = FakeProvider(init_blocks=4)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    executor.activity = {"0": BlockActivity(1, 4, tasks=1, idle_s=0)}
    provider.states["j2"] = JobStatus(JobState.RUNNING)
    provider.states["j3"] = JobStatus(JobState.HELD)
    executor.status()
    return provider, executor


def test_queued_jobs_are_cancelled_before_those_that_run() -> None:
    provider, executor = two_queued_behind_two_running_blocks()
    assert executor.blocks.cancel_all() == ["2", "3", "0", "1"]
    assert provider.cancellations == [["j3", "j4"], ["j1", "j2"]]


def test_queued_blocks_can_be_cancelled_without_the_others() -> None:
    provider, executor = two_queued_behind_two_running_blocks()
    assert executor.blocks.cancel_queued() == ["2", "3"]
    assert provider.cancellations == [["j3", "j4"]]
    assert executor.scale_out_facade(1) == []
    executor.blocks.cancel_all()
    assert provider.cancellations[1:] == [["j1", "j2"]]


def test_cancel_all_stops_further_submissions(wait_until: WaitUntil) -> None:
    provider = FakeProvider(init_blocks=5)
    executor = FakeExecutor(provider)
    closing = threading.Thread(target=executor.blocks.cancel_all)

    def close_during_the_second(job_id: str) -> None:
        if job_id == "j2":
            closing.start()
            wait_until(lambda: "2 live, 2 scaling in" in repr(executor.blocks))

    provider.before_submit_returns = close_during_the_second
    executor.blocks.start()
    closing.join(30)
    assert len(provider.commands) == 2
    assert sorted(map(str, provider.cancelled)) == ["j1", "j2"]
    assert states_of(executor) == [JobState.SCALED_IN] * 5


def test_a_signal_handler_may_cancel_all_during_a_submission(
    provider: FakeProvider, executor: FakeExecutor
) -> None:
    def clean_up(job_id: str) -> None:
        executor.blocks.cancel_all()

    provider.before_submit_returns = clean_up
    executor.scale_out_facade(2)
    assert provider.cancelled == ["j1"]
    assert states_of(executor) == [JobState.SCALED_IN] * 2


def test_ctrl_c_during_a_submission_leaves_no_pending_block(
    provider: FakeProvider, executor: FakeExecutor
) -> None:
    def interrupt(job_id: str) -> None:
        raise KeyboardInterrupt

    provider.before_submit_returns = interrupt
    with pytest.raises(KeyboardInterrupt):
        executor.scale_out_facade(2)
    assert executor.blocks.views() == ()


def test_many_threads_never_exceed_the_maximum_of_blocks() -> None:
    provider = FakeProvider(init_blocks=0, max_blocks=7)
    executor = FakeExecutor(provider)
    with ThreadPoolExecutor(16) as threads:
        for _ in range(64):
            threads.submit(executor.blocks.scale_out, 2, 7)
            threads.submit(executor.poll_facade)
    assert len(provider.commands) == 7
    assert sorted(executor.status_facade, key=int) == [str(number) for number in range(7)]


def test_a_block_with_a_connected_manager_is_running(provider: FakeProvider, executor: FakeExecutor) -> None:
    executor.blocks.start()
    executor.activity = {"0": BlockActivity(1, 4, 0, 1.0)}
    executor.blocks.manager_connected("0")
    executor.poll_facade()
    assert states_of(executor) == [JobState.RUNNING]
    provider.states["j1"] = JobStatus(JobState.MISSING)
    assert executor.status()["0"].state is JobState.RUNNING


def test_the_replacement_of_a_block_that_is_back_is_scaled_in() -> None:
    provider = FakeProvider(max_blocks=1)
    executor = FakeExecutor(provider, False)
    executor.blocks.start()
    provider.states["j1"] = JobStatus(JobState.MISSING)
    executor.status()
    assert executor.blocks.scale_out(1, max_live=1) == ["1"]
    executor.activity = {"0": BlockActivity(1, 4, 0, 1.0)}
    executor.blocks.manager_connected("0")
    executor.poll_facade()
    assert provider.cancelled == ["j2"]
    assert states_of(executor) == [JobState.RUNNING, JobState.SCALED_IN]


def test_more_tasks_than_covered_notify_the_listeners_once(executor: FakeExecutor) -> None:
    executor.blocks.tasks_added(10)
    assert executor.heard.changes == 0
    executor.blocks.covered_tasks = 10
    executor.blocks.tasks_added(10)
    assert executor.heard.changes == 0
    executor.blocks.tasks_added(11)
    executor.blocks.tasks_added(12)
    assert executor.heard.changes == 1


def test_listeners_are_notified_of_each_step_of_a_job(provider: FakeProvider, executor: FakeExecutor) -> None:
    events: list[str] = []

    class Recorder(BlockListener):
        def job_submitted(self, job_id: object) -> None:
            events.append(f"submitted {job_id}")

        def job_ended(self, block_id: str) -> None:
            events.append(f"ended {block_id}")

        def jobs_queried(self) -> None:
            events.append("queried")

        def blocks_polled(self) -> None:
            events.append("polled")

    executor.blocks.add_listener(Recorder())
    executor.blocks.start()
    provider.states["j1"] = JobStatus(JobState.FAILED)
    executor.blocks.job_ended("j1")
    executor.blocks.poll()
    assert events == ["submitted j1", "ended 0", "ended 0", "queried", "polled"]


class Observed:
    """An executor with blocks, and what its observer was notified of."""

    def __init__(self, provider: FakeProvider) -> None:
        self.executor = FakeExecutor(provider)
        self._recorder = Recorder()
        self.executor.observer = self._recorder

    def take(self) -> list[tuple[str, str | None, str, str]]:
        found, self._recorder.blocks = self._recorder.blocks, []
        assert all(block.moment_s > 1e9 for block in found)
        return [block[:4] for block in found]


@pytest.fixture
def observed(provider: FakeProvider) -> Observed:
    return Observed(provider)


def test_the_observer_is_notified_of_each_change_and_of_nothing_else(
    provider: FakeProvider, observed: Observed
) -> None:
    executor = observed.executor
    executor.blocks.start()
    assert observed.take() == [("0", None, "PENDING", "being submitted"), ("0", "j1", "PENDING", "")]
    for _ in range(3):
        executor.status()
    assert observed.take() == []
    provider.states["j1"] = JobStatus(JobState.PENDING, message="Not enough free nodes")
    executor.status()
    executor.status()
    assert observed.take() == [("0", "j1", "PENDING", "Not enough free nodes")]
    executor.activity = {"0": BlockActivity(1, 4, 0, 0.0)}
    executor.poll_facade()
    assert [block[2] for block in observed.take()] == ["RUNNING"]
    executor.activity, provider.states["j1"] = {}, JobStatus(JobState.FAILED, message="exit code 9")
    executor.status()
    assert observed.take() == [("0", "j1", "FAILED", "exit code 9")]


def test_the_observer_is_notified_of_scaled_in_blocks(observed: Observed, provider: FakeProvider) -> None:
    observed.executor.blocks.start()
    observed.executor.scale_in(1)
    provider.states["j1"] = JobStatus(JobState.CANCELLED)
    observed.executor.status()
    assert [block[2] for block in observed.take()] == ["PENDING", "PENDING", "SCALED_IN"]


def test_the_observer_is_notified_of_failed_submissions(provider: FakeProvider, observed: Observed) -> None:
    provider.raises = SubmitException("job", "qsub: the server is down")
    observed.executor.blocks.start()
    [_, (block, job_id, state, message)] = observed.take()
    assert (block, job_id, state) == ("0", None, "PENDING")
    assert "the server is down" in message
