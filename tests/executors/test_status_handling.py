"""The behaviour of executors with blocks themselves; see also tests/executors/blocks."""

from __future__ import annotations

import pytest

from parsl.executors.errors import BadStateException
from parsl.jobs.error_handlers import noop_error_handler, simple_error_handler
from parsl.validate import ParameterError
from tests.executors.fakes import FakeExecutor, FakeProvider


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def executor(provider: FakeProvider) -> FakeExecutor:
    return FakeExecutor(provider)


def test_true_and_false_select_handlers() -> None:
    assert FakeExecutor(None, True).block_error_handler is simple_error_handler
    assert FakeExecutor(None, False).block_error_handler is noop_error_handler


def test_a_handler_must_be_callable() -> None:
    with pytest.raises(ParameterError, match="block_error_handler is 'simple'"):
        FakeExecutor(None, "simple")


def test_without_a_provider_there_are_no_blocks() -> None:
    executor = FakeExecutor(None)
    executor.poll_facade()
    executor.blocks.manager_connected("0")
    assert executor.blocks.start() == executor.scale_out_facade(3) == executor.blocks.cancel_all() == []
    assert executor.blocks.cancel_queued() == []
    assert executor.status_facade == executor.blocks_to_job_id == {}
    assert executor.status_polling_interval == 0
    assert executor.workers_per_block is None


def test_failing_for_good_fails_every_task_and_cancels_every_block(
    provider: FakeProvider, executor: FakeExecutor
) -> None:
    executor.blocks.start()
    future, finished = executor.submit(len, {}), executor.submit(len, {})
    finished.set_result(1)
    reason = ValueError("the reason")
    executor.set_bad_state_and_fail_all(reason)
    executor.set_bad_state_and_fail_all(ValueError("another"))
    error = future.exception(timeout=0)
    assert isinstance(error, BadStateException)
    assert error.exception is executor.executor_exception is reason
    assert finished.result() == 1
    assert provider.cancelled == ["j1"]
    assert executor.scale_out_facade(1) == []
    with pytest.raises(BadStateException, match="the reason"):
        executor.submit(len, {})


def test_an_executor_that_has_failed_is_not_judged_again(executor: FakeExecutor) -> None:
    judged: list[int] = []
    executor.block_error_handler = lambda executor, status: judged.append(len(status))
    executor.blocks.start()
    executor.handle_errors(executor.status_facade)
    executor.set_bad_state_and_fail_all(ValueError())
    executor.handle_errors(executor.status_facade)
    assert judged == [1]
