"""GlobusComputeExecutor with a stand-in for the SDK's executor and an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from parsl.errors import ConfigurationError
from parsl.executors import GlobusComputeExecutor
from parsl.executors.base import ParslExecutor
from parsl.executors.engines.errors import EngineMismatch, EngineTaskError, EngineUnreachable
from parsl.executors.errors import BadStateException, ExecutorError, InvalidResourceSpecification
from parsl.executors.globus_compute import MAX_CALL_BYTES
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.testing.executor_conformance import ExecutorConformance
from parsl.validate import ParameterError
from tests.support.compute_executor import ComputeExecutor, TaskExecutionFailed


@pytest.mark.slow
class TestConformance(ExecutorConformance):
    cancels_queued = False
    restarts = False

    def make_executor(self, directory: Path) -> ParslExecutor:
        return GlobusComputeExecutor(ComputeExecutor(self.workers))


class Held(ComputeExecutor):
    """Ends no task by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Future[Any]] = []

    def submit(self, function: Any, *args: Any) -> Future[Any]:
        if self.refuses is not None:
            raise self.refuses
        self.submitted.append((self.resource_specification, self.user_endpoint_config, function))
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def sdk() -> Held:
    return Held()


@pytest.fixture
def executor(sdk: Held) -> Iterator[GlobusComputeExecutor]:
    executor = GlobusComputeExecutor(sdk)
    executor.start()
    yield executor
    executor.shutdown()


def report(executor: GlobusComputeExecutor, sdk: Held, text: str) -> BaseException | None:
    task = executor.submit(abs, {}, -1)
    sdk.futures[-1].set_exception(TaskExecutionFailed(text))
    return task.exception(0)


def test_each_task_has_its_own_resources_and_settings(executor: GlobusComputeExecutor, sdk: Held) -> None:
    sdk_settings = sdk.user_endpoint_config
    specification = {"num_nodes": 2, "user_endpoint_config": {"queue": "debug"}}
    executor.submit(abs, specification, -1)
    executor.submit(abs, {"num_nodes": 1}, -1)
    executor.submit(abs, {"user_endpoint_config": None}, -1)
    executor.submit(abs, {}, -1)
    default = {"queue": "default"}
    assert [each[:2] for each in sdk.submitted] == [
        ({"num_nodes": 2}, {"queue": "debug"}),
        ({"num_nodes": 1}, default),
        ({}, None),
        ({}, default),
    ]
    assert (sdk.resource_specification, sdk.user_endpoint_config) == ({}, sdk_settings)
    assert specification == {"num_nodes": 2, "user_endpoint_config": {"queue": "debug"}}


def test_tasks_of_many_threads_keep_their_settings_apart() -> None:
    sdk = ComputeExecutor(1)
    executors = [GlobusComputeExecutor(sdk, label=f"gc{number}") for number in range(2)]
    for executor in executors:
        executor.start()

    def submit(number: int) -> Any:
        return executors[number % 2].submit(abs, {"user_endpoint_config": {"number": number}}, -number)

    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(submit, range(100)))
    assert [task.result(60) for task in tasks] == list(range(100))
    assert sorted(settings["number"] for _, settings, _ in sdk.submitted) == list(range(100))
    assert sdk.user_endpoint_config == {"queue": "default"}
    for executor in executors:
        executor.shutdown()


def test_all_calls_are_calls_of_one_registered_function(executor: GlobusComputeExecutor, sdk: Held) -> None:
    executor.submit(abs, {}, -1)
    executor.submit(len, {}, "x")
    assert len({function for _, _, function in sdk.submitted}) == 1


@pytest.mark.parametrize(
    ("specification", "key"),
    [({"user_endpoint_config": "debug"}, "user_endpoint_config"), ({1: 2}, "1")],
)
def test_a_wrong_specification_is_refused_at_once(
    executor: GlobusComputeExecutor, sdk: Held, specification: Any, key: str
) -> None:
    with pytest.raises(InvalidResourceSpecification) as caught:
        executor.submit(abs, specification, -1)
    assert caught.value.invalid_keys == {key}
    assert sdk.submitted == []
    assert executor.outstanding() == 0


def test_a_call_that_the_service_would_refuse_is_refused_before(
    executor: GlobusComputeExecutor, sdk: Held
) -> None:
    with pytest.raises(EngineTaskError, match="accepts 7597134"):
        executor.submit(len, {}, bytes(MAX_CALL_BYTES))
    assert sdk.submitted == []


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (
            "parsl.executors.high_throughput.errors.WorkerLost: Task failure",
            WorkerLost,
            "On the endpoint: Task",
        ),
        ("parsl.executors.high_throughput.errors.ManagerLost: lost n1", ManagerLost, "lost n1"),
        (
            "ModuleNotFoundError: No module named 'parsl.executors.engines'",
            EngineMismatch,
            "pip install PATH",
        ),
        (
            "AttributeError: Can't get attribute 'run_packed_call' on <module>",
            EngineMismatch,
            "there, too, version",
        ),
        ("MaxResultSizeExceeded: Task result of 11 MB", EngineTaskError, "MaxResultSizeExceeded"),
        ("", EngineTaskError, "no reason was given"),
    ],
)
def test_reports_of_endpoints_become_errors_with_types(
    executor: GlobusComputeExecutor, sdk: Held, line: str, kind: type[BaseException], words: str
) -> None:
    error = report(executor, sdk, f"\n Traceback (most recent call last):\n   ...\n {line}\n" if line else "")
    assert type(error) is kind
    assert words in str(error)
    assert isinstance(error.__cause__, TaskExecutionFailed)


def test_tasks_cannot_be_cancelled(executor: GlobusComputeExecutor, sdk: Held) -> None:
    task = executor.submit(abs, {}, -1)
    assert not task.cancel()
    assert not sdk.futures[0].cancelled(), "a cancelled future makes the SDK lose the results of others"


def test_when_the_service_refuses_tasks_the_executor_fails(
    executor: GlobusComputeExecutor, sdk: Held
) -> None:
    first = executor.submit(abs, {}, -1)
    sdk.refuses = RuntimeError("Executor is shutdown; no new functions may be executed")
    with pytest.raises(EngineUnreachable, match="is shutdown"):
        executor.submit(abs, {}, -1)
    assert isinstance(first.exception(0), BadStateException)
    with pytest.raises(BadStateException):
        executor.submit(abs, {}, -1)


def test_a_task_that_the_sdk_drops_fails(executor: GlobusComputeExecutor, sdk: Held) -> None:
    task = executor.submit(abs, {}, -1)
    sdk.futures[0].cancel()
    sdk.futures[0].set_running_or_notify_cancel()
    assert "the SDK's executor was shut down before" in str(task.exception(0))


def test_a_shutdown_does_not_wait(sdk: Held) -> None:
    executor = GlobusComputeExecutor(sdk)
    executor.start()
    task = executor.submit(abs, {}, -1)
    executor.shutdown()
    assert sdk.shutdowns == [{"wait": False, "cancel_futures": True}]
    assert isinstance(task.exception(0), ExecutorError)
    with pytest.raises(ConfigurationError, match="serves one run"):
        executor.prepare_restart()


@pytest.mark.parametrize("value", [None, "endpoint", ComputeExecutor, ThreadPoolExecutor(1)])
def test_something_else_than_an_executor_of_the_sdk_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"globus_compute_sdk\.Executor.*parsl\[globus-compute\]"):
        GlobusComputeExecutor(value)
