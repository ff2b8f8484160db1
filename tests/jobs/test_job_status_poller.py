"""The poller's thread in real time; its decisions are tested in simulated time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.base import ParslExecutor
from parsl.executors.blocks.notices import BlocksWarning
from parsl.executors.errors import BadStateException
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.job_status_poller import JobStatusPoller
from parsl.jobs.states import JobState
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider
from parsl.validate import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import WaitUntil

LONG_S = 3600.0


class LocalExecutor(BlockProviderExecutor):
    """Blocks are processes that run ``command``; tasks wait for ever."""

    label = "local"

    def __init__(self, tmp_path: Path, command: str, **limits: Any) -> None:
        provider = LocalProvider(launcher=SimpleLauncher(), **limits)
        provider.script_dir = str(tmp_path)
        super().__init__(provider=provider, block_error_handler=True)
        self.command = command

    def launch_command(self, block_id: str) -> str:
        return self.command

    @property
    def workers_per_node(self) -> int | float | None:
        return 1

    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        self.raise_if_bad()
        future: Future[Any] = Future()
        self.tasks[len(self.tasks)] = future
        self.blocks.tasks_added(len(self.tasks))
        return future

    def shutdown(self) -> None:
        self.blocks.cancel_all()


class PlainExecutor(ParslExecutor):
    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        raise NotImplementedError

    def shutdown(self) -> None:
        pass


@pytest.fixture
def watch() -> Iterator[Callable[..., JobStatusPoller]]:
    """Start executors and a poller for them that, without news, updates them once an hour."""
    pollers: list[JobStatusPoller] = []
    watched: list[LocalExecutor] = []

    def start(*executors: LocalExecutor, period_s: float = LONG_S) -> JobStatusPoller:
        poller = JobStatusPoller(strategy="simple", strategy_period=period_s, max_idletime=0)
        for executor in executors:
            executor.blocks.start()
        pollers.append(poller)
        watched.extend(executors)
        poller.add_executors(executors)
        return poller

    yield start
    for poller in pollers:
        assert poller.close(timeout_s=30)
    for executor in watched:
        executor.shutdown()


@pytest.mark.parametrize(
    ("name", "value"),
    [("strategy", "simplest"), ("strategy_period", 0), ("strategy_period", "5"), ("max_idletime", -1)],
)
def test_wrong_parameters_are_named(name: str, value: object) -> None:
    settings: dict[str, Any] = {"strategy": None, "strategy_period": 5, "max_idletime": 120.0, name: value}
    with pytest.raises(ParameterError, match=f"JobStatusPoller: {name} is"):
        JobStatusPoller(**settings)


def test_without_an_executor_with_blocks_there_is_no_thread(tmp_path: Path) -> None:
    poller = JobStatusPoller(strategy="simple", strategy_period=5, max_idletime=120)
    poller.add_executors([PlainExecutor()])
    assert repr(poller) == "<JobStatusPoller simple, 0 executors, not started>"
    poller.blocks_changed()
    assert poller.close()
    assert repr(poller) == "<JobStatusPoller simple, 0 executors, closed>"


def test_a_failing_launch_command_is_described_in_every_tasks_error_at_once(
    tmp_path: Path, watch: Callable[..., JobStatusPoller]
) -> None:
    executor = LocalExecutor(tmp_path, "echo launch me not >&2; exit 7", init_blocks=3, max_blocks=3)
    started_s = time.monotonic()
    watch(executor)
    future: Future[Any] = Future()
    executor.tasks["late"] = future
    error = future.exception(timeout=30)
    assert time.monotonic() - started_s < 10
    assert isinstance(error, BadStateException)
    assert str(error).count("STDERR: launch me not") == 3
    assert str(error).count("EXIT CODE: 7") == 3
    assert executor.bad_state_is_set


def test_the_first_task_starts_a_block_at_once(
    tmp_path: Path, watch: Callable[..., JobStatusPoller], wait_until: WaitUntil
) -> None:
    executor = LocalExecutor(tmp_path, "sleep 1000", init_blocks=0, max_blocks=2)
    watch(executor)
    executor.submit(len, {})
    wait_until(lambda: len(executor.blocks_to_job_id) == 1)
    executor.submit(len, {})
    wait_until(lambda: len(executor.blocks_to_job_id) == 2)
    assert executor.blocks.cancel_all() == ["0", "1"]
    assert {status.state for status in executor.status_facade.values()} == {JobState.SCALED_IN}


def test_a_block_that_ends_is_replaced_at_once_while_there_is_work(
    tmp_path: Path, watch: Callable[..., JobStatusPoller], wait_until: WaitUntil
) -> None:
    marker = tmp_path / "second"
    command = f"if [ -e {marker} ]; then sleep 1000; else touch {marker}; fi"
    executor = LocalExecutor(tmp_path, command, init_blocks=1, max_blocks=1)
    watch(executor)
    executor.submit(len, {})
    wait_until(lambda: list(executor.blocks_to_job_id) == ["0", "1"])
    assert executor.status_facade["0"].state is JobState.COMPLETED


def test_an_error_with_one_executor_does_not_affect_the_others(
    tmp_path: Path,
    watch: Callable[..., JobStatusPoller],
    wait_until: WaitUntil,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = LocalExecutor(tmp_path, "sleep 1000", init_blocks=0)
    sound = LocalExecutor(tmp_path, "sleep 1000", init_blocks=0)

    def explode(status: object) -> None:
        raise ZeroDivisionError("a handler's bug")

    monkeypatch.setattr(broken, "handle_errors", explode)
    watch(broken, sound)
    sound.submit(len, {})
    wait_until(lambda: sound.blocks_to_job_id)
    wait_until(lambda: broken.bad_state_is_set)
    assert isinstance(broken.executor_exception, ZeroDivisionError)
    assert not sound.bad_state_is_set
    assert any(record.exc_info for record in caplog.records)


def test_executors_are_updated_once_per_period_without_news(
    tmp_path: Path, watch: Callable[..., JobStatusPoller], wait_until: WaitUntil
) -> None:
    executor = LocalExecutor(tmp_path, "sleep 1000", init_blocks=0)
    looks = []
    executor.block_error_handler = lambda executor, status: looks.append(status)
    watch(executor, period_s=0.02)
    wait_until(lambda: len(looks) >= 5)


def test_many_changes_cause_few_updates(tmp_path: Path, watch: Callable[..., JobStatusPoller]) -> None:
    executor = LocalExecutor(tmp_path, "sleep 1000", init_blocks=0)
    looks = []
    executor.block_error_handler = lambda executor, status: looks.append(time.monotonic())
    poller = watch(executor)
    end_s = time.monotonic() + 0.3
    while time.monotonic() < end_s:
        poller.blocks_changed()
    assert 1 <= len(looks) <= 8


def test_closing_ends_the_thread_and_leaves_the_blocks(
    tmp_path: Path, watch: Callable[..., JobStatusPoller], wait_until: WaitUntil
) -> None:
    executor = LocalExecutor(tmp_path, "sleep 1000", init_blocks=1)
    poller = watch(executor)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "JobStatusPoller"]
    assert poller.close(timeout_s=30)
    assert thread not in threading.enumerate()
    executor.submit(len, {})
    executor.blocks.changed()
    assert executor.scale_out_facade(1) == []
    assert len(executor.blocks_to_job_id) == 1


def test_a_poller_that_fails_fails_all_executors_and_later_ones(
    tmp_path: Path, watch: Callable[..., JobStatusPoller], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (LocalExecutor(tmp_path, "sleep 1000", init_blocks=1) for _ in range(2))
    poller = watch(first)
    future = first.submit(None, None)

    def update_all() -> float:
        raise MemoryError("no memory left")

    monkeypatch.setattr(poller, "update_all", update_all)
    poller.blocks_changed()
    with pytest.raises(BadStateException, match=r"'JobStatusPoller', which scales blocks.*no memory"):
        future.result(30)
    second.blocks.start()
    poller.add_executors([second])
    with pytest.raises(BadStateException, match="no memory left"):
        second.submit(None, None)
    assert poller.close(30)


def test_a_block_error_handler_that_exits_fails_only_its_executor(
    tmp_path: Path, watch: Callable[..., JobStatusPoller]
) -> None:
    leaving, staying = (LocalExecutor(tmp_path, "sleep 1000", init_blocks=1) for _ in range(2))
    leaving.block_error_handler = lambda executor, status: exit(3)
    poller = watch(leaving, staying)
    with pytest.raises(BadStateException):
        leaving.submit(None, None).result(30)
    staying.submit(None, None)
    poller.update_all()
    assert not staying.bad_state_is_set


def test_a_run_that_never_has_blocks_causes_a_warning(tmp_path: Path) -> None:
    poller = JobStatusPoller(strategy="none", strategy_period=LONG_S, max_idletime=LONG_S)
    with pytest.warns(BlocksWarning, match=r"Executor local has no blocks: .*init_blocks=0.*'simple'"):
        poller.watch([LocalExecutor(tmp_path, "true", init_blocks=0)])


@pytest.mark.parametrize(("strategy", "init_blocks"), [("none", 1), ("simple", 0), ("htex_auto_scale", 0)])
def test_other_runs_cause_no_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, strategy: str, init_blocks: int
) -> None:
    poller = JobStatusPoller(strategy=strategy, strategy_period=LONG_S, max_idletime=LONG_S)
    poller.watch([LocalExecutor(tmp_path, "true", init_blocks=init_blocks)])
    assert [str(warning.message) for warning in recwarn] == []
