"""The behaviour of executors with blocks themselves; see also tests/executors/blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parsl.errors import ConfigurationError
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


def test_the_provider_is_prepared_with_a_name_for_the_tags_of_this_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, executor: FakeExecutor
) -> None:
    names: list[str] = []
    monkeypatch.setattr(provider, "prepare", names.append)
    executor.label = "Fast_Queue of the 2nd cluster"
    executor.run_id = "0a1b2c3d-4e5f"
    executor.prepare_provider(str(tmp_path))
    executor.prepare_provider(str(tmp_path))
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"parsl-0a1b2c3d-fast-queue-of-th-[0-9a-f]{6}", name) for name in names)
    assert provider.script_dir == str(tmp_path / "submit_scripts")


def test_workers_that_need_the_files_of_the_driver_are_not_started_where_nodes_do_not_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, executor: FakeExecutor
) -> None:
    monkeypatch.setattr(provider, "shares_files", False)
    with pytest.raises(ConfigurationError, match="nodes of FakeProvider do not see these"):
        executor.prepare_provider(str(tmp_path))


def test_the_provider_is_closed_after_the_blocks_are_cancelled(
    monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, executor: FakeExecutor
) -> None:
    cancelled_before: list[object] = []
    monkeypatch.setattr(provider, "close", lambda: cancelled_before.extend(provider.cancelled))
    executor.blocks.start()
    executor.blocks.cancel_all()
    assert cancelled_before == ["j1"]


def test_a_provider_that_cannot_be_closed_ends_nothing_else(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    provider: FakeProvider,
    executor: FakeExecutor,
) -> None:
    def fail() -> None:
        raise OSError("no network")

    monkeypatch.setattr(provider, "close", fail)
    executor.blocks.start()
    assert executor.blocks.cancel_all() == ["0"]
    assert "FakeProvider.close failed" in caplog.text
