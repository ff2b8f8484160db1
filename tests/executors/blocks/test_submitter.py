"""How an executor's blocks are submitted: in the background, again after a pause, or never again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from parsl.executors.blocks.block_set import NEVER_RUN_PATIENCE_S
from parsl.executors.blocks.notices import BlocksWarning
from parsl.executors.blocks.submitter import PATIENCE_S
from parsl.executors.errors import BadStateException
from parsl.jobs.errors import JobsNeverRunError
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.errors import SubmitException
from tests.executors.fakes import FakeExecutor, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import WaitUntil

BUSY = SubmitException("parsl.fake.block-0", "qsub failed", stderr="qsub: server is busy", retcode=1)
NO_QUEUE = SubmitException(
    "parsl.fake.block-0", "qsub refuses it", stderr="qsub: Unknown queue", retcode=170, is_permanent=True
)
WORDS = "Can Never Run: Insufficient amount of resource: ncpus"


class SlowProvider(FakeProvider):
    """A scheduler that accepts jobs only when the test lets it."""

    submits_at_once = False

    def __init__(self, init_blocks: int = 1) -> None:
        super().__init__(init_blocks)
        self.may_return = threading.Event()
        self.before_submit_returns = lambda job_id: assert_(self.may_return.wait(30))


def assert_(condition: bool) -> None:
    assert condition


def test_callers_do_not_wait_for_a_slow_scheduler(wait_until: WaitUntil) -> None:
    provider = SlowProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    assert executor.blocks.start() == ["0", "1", "2"]
    assert [status.state for status in executor.status_facade.values()] == [JobState.PENDING] * 3
    assert executor.blocks_to_job_id == {}
    assert executor.blocks.scale_out(5, max_live=4) == ["3"]
    provider.may_return.set()
    wait_until(lambda: len(executor.blocks_to_job_id) == 4)
    executor.blocks.wait_for_submissions(30)
    assert executor.blocks.scale_out(5, max_live=5) == ["4"]
    executor.blocks.wait_for_submissions(30)
    assert len(provider.commands) == 5


def test_a_job_that_is_being_submitted_during_shutdown_is_cancelled(wait_until: WaitUntil) -> None:
    provider = SlowProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    wait_until(lambda: provider.commands)
    assert executor.blocks.cancel_all() == ["0", "1"]
    provider.may_return.set()
    executor.blocks.wait_for_submissions(30)
    assert provider.cancelled == ["j1"]
    assert len(provider.commands) == 1
    assert {status.state for status in executor.status_facade.values()} == {JobState.SCALED_IN}


def test_a_submission_that_takes_too_long_during_shutdown_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    provider = SlowProvider()
    executor = FakeExecutor(provider)
    executor.blocks.start()
    executor.blocks.cancel_all()
    executor.blocks.wait_for_submissions(0.01)
    assert "a submission is still in progress" in caplog.text
    provider.may_return.set()
    executor.blocks.wait_for_submissions(30)
    assert provider.cancelled == ["j1"]


def test_after_a_temporary_failure_blocks_wait_and_count_towards_max_blocks() -> None:
    provider = FakeProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    provider.raises = BUSY
    executor.blocks.start()
    assert "another attempt follows" in str(executor.status_facade["0"].message)
    assert "server is busy" in str(executor.status_facade["0"].message)
    assert executor.blocks.scale_out(3, max_live=4) == ["3"]
    assert provider.tries == 1
    assert 0 < executor.blocks.due_in_s() <= 1
    executor.now_s = 1
    executor.poll_facade()
    assert provider.tries == 2
    provider.raises = None
    executor.now_s = 3
    executor.poll_facade()
    assert list(executor.blocks_to_job_id) == ["0", "1", "2", "3"]
    assert executor.status_facade["0"].message is None
    assert executor.executor_exception is None


def test_blocks_fail_when_submissions_have_failed_for_too_long() -> None:
    provider = FakeProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    provider.raises = BUSY
    executor.blocks.start()
    while executor.now_s < 2 * PATIENCE_S:
        executor.now_s += 1
        executor.poll_facade()
        executor.handle_errors(executor.status_facade)
    assert PATIENCE_S / 30 < provider.tries < 12
    assert "server is busy" in str(executor.executor_exception)


def test_a_waiting_block_is_scaled_in_without_a_submission() -> None:
    provider = FakeProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    provider.raises = BUSY
    executor.blocks.start()
    assert executor.blocks.scale_in(["0"]) == ["0"]
    assert executor.status_facade["0"].state is JobState.SCALED_IN
    provider.raises = None
    executor.now_s = 1
    executor.poll_facade()
    assert list(executor.blocks_to_job_id) == ["1"]


def test_a_permanent_refusal_fails_the_tasks_at_once_with_the_schedulers_words() -> None:
    provider = FakeProvider(init_blocks=3)
    executor = FakeExecutor(provider)
    future = executor.submit(len, {})
    provider.raises = NO_QUEUE
    executor.blocks.start()
    executor.handle_errors(executor.status_facade)
    assert provider.tries == 1
    error = future.exception(timeout=0)
    assert isinstance(error, BadStateException)
    assert error.exception is NO_QUEUE
    assert "qsub: Unknown queue" in str(error)
    assert executor.scale_out_facade(1) == []


def test_after_a_permanent_refusal_the_other_blocks_continue() -> None:
    provider = FakeProvider(init_blocks=1)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    provider.raises = NO_QUEUE
    executor.scale_out_facade(1)
    with pytest.warns(BlocksWarning, match="gets no more.*\n.*\n.*Unknown queue"):
        executor.handle_errors(executor.status_facade)
    assert executor.executor_exception is None
    provider.raises = None
    assert executor.scale_out_facade(1) == []
    provider.states["j1"] = JobStatus(JobState.TIMEOUT)
    executor.handle_errors(executor.status())
    assert executor.executor_exception is NO_QUEUE


def test_without_an_error_handler_a_refused_block_is_tried_again() -> None:
    provider = FakeProvider()
    executor = FakeExecutor(provider, handler=False)
    provider.raises = NO_QUEUE
    executor.blocks.start()
    executor.handle_errors(executor.status_facade)
    assert executor.executor_exception is None
    provider.raises = None
    executor.now_s = 1
    executor.poll_facade()
    assert executor.blocks_to_job_id == {"0": "j1"}


def test_held_jobs_cause_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    provider = FakeProvider(init_blocks=2)
    executor = FakeExecutor(provider)
    executor.blocks.start()
    for job_id in provider.states:
        provider.states[job_id] = JobStatus(JobState.HELD, message="held by an operator: disks are full")
    with pytest.warns(BlocksWarning, match=r"job j1, j2 will not start .* held by an operator: disks"):
        executor.status()
    executor.status()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "disks are full" in str(executor.status_facade["0"].message)


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_an_error_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    provider = FakeProvider()
    executor = FakeExecutor(provider)
    executor.blocks.start()
    provider.states["j1"] = JobStatus(JobState.HELD)
    executor.status()
    assert "no reason is given" in caplog.text


@pytest.mark.filterwarnings("ignore::parsl.executors.blocks.notices.BlocksWarning")
@pytest.mark.parametrize(
    ("others", "fails"),
    [
        ([], True),
        ([JobStatus(JobState.HELD, message=WORDS, can_never_run=True)], True),
        ([JobStatus(JobState.HELD, message="held by the user")], False),
        ([JobStatus(JobState.PENDING)], False),
        ([JobStatus(JobState.RUNNING)], False),
        ([JobStatus(JobState.COMPLETED)], True),
    ],
)
def test_tasks_fail_when_every_block_can_never_run(others: Sequence[JobStatus], fails: bool) -> None:
    provider = FakeProvider(init_blocks=1 + len(others))
    executor = FakeExecutor(provider)
    executor.blocks.start()
    provider.states["j1"] = JobStatus(JobState.HELD, message=WORDS, can_never_run=True)
    for number, status in enumerate(others, 2):
        provider.states[f"j{number}"] = status
    future = executor.submit(len, {})
    for second in range(int(NEVER_RUN_PATIENCE_S) + 40):
        executor.now_s = second
        executor.poll_facade()
        executor.handle_errors(executor.status_facade)
        assert second > NEVER_RUN_PATIENCE_S or not future.done()
    assert future.done() == fails
    if fails:
        assert isinstance(executor.executor_exception, JobsNeverRunError)
        assert WORDS in str(future.exception())


@pytest.mark.filterwarnings("ignore::parsl.executors.blocks.notices.BlocksWarning")
def test_a_job_that_can_run_after_all_does_not_fail_the_tasks() -> None:
    provider = FakeProvider()
    executor = FakeExecutor(provider)
    executor.blocks.start()
    executor.submit(len, {})
    for status in (
        JobStatus(JobState.HELD, message=WORDS, can_never_run=True),
        JobStatus(JobState.UNKNOWN),
        JobStatus(JobState.PENDING),
        JobStatus(JobState.HELD, message=WORDS, can_never_run=True),
    ):
        provider.states["j1"] = status
        executor.now_s += NEVER_RUN_PATIENCE_S - 1
        executor.handle_errors(executor.status())
    assert executor.executor_exception is None


def test_changes_that_the_provider_sees_cause_a_query_at_once() -> None:
    provider = FakeProvider()
    executor = FakeExecutor(provider)
    executor.blocks.start()
    for second in range(50):
        executor.now_s = second
        provider.started_jobs = {"j1"} if second in (20, 21) else set()
        before = len(provider.queries)
        executor.poll_facade()
        assert len(provider.queries) == before + (second in (2, 12, 21, 22, 24, 28, 36))


def test_an_error_in_the_submitting_thread_fails_its_blocks_but_not_later_ones(
    wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(BaseException):
        pass

    def break_down(job_id: str) -> None:
        raise Broken("in the middle")

    provider = SlowProvider(init_blocks=2)
    provider.before_submit_returns = break_down
    executor = FakeExecutor(provider)
    executor.blocks.start()
    executor.blocks.wait_for_submissions(30)
    assert {status.state for status in executor.status_facade.values()} == {JobState.FAILED}
    assert all("Broken: in the middle" in str(s.message) for s in executor.status_facade.values())
    assert "could not submit blocks" in caplog.text
    provider.before_submit_returns = lambda job_id: None
    assert executor.scale_out_facade(1) == ["2"]
    wait_until(lambda: "2" in executor.blocks_to_job_id)
    executor.blocks.wait_for_submissions(30)
