"""A task that ends worker after worker fails, whatever the retries allow."""

from __future__ import annotations

from typing import Any

from parsl.dataflow.errors import DataFlowException
from parsl.dataflow.tasks.retries import MAX_WORKER_LOSSES
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost, WorkerOverMemory
from tests.dataflow.fakes import PromptExecutor, call, kernel
from tests.dataflow.test_job_ends import Unlucky


def worker_lost(number: int) -> WorkerLost:
    return WorkerLost(0, f"node{number}", f"killed by signal 9 on node{number}")


def test_a_poison_task_fails_with_the_history_of_its_attempts(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=100) as dfk:
        error = call(dfk, Unlucky(*(worker_lost(number) for number in range(100)))).exception()
    assert executor.calls == MAX_WORKER_LOSSES
    assert isinstance(error, DataFlowException)
    assert f"{MAX_WORKER_LOSSES} workers have ended under it" in str(error)
    assert all(f"node{number}" in str(error) for number in range(MAX_WORKER_LOSSES))
    assert isinstance(error.__cause__, WorkerLost)


def test_a_retry_handler_without_costs_does_not_change_the_limit(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=0, retry_handler=lambda error, record: 0) as dfk:
        assert call(dfk, Unlucky(*(worker_lost(number) for number in range(100)))).exception() is not None
    assert executor.calls == MAX_WORKER_LOSSES


def test_other_failures_in_between_are_listed_but_do_not_count(tmp_path: Any) -> None:
    ends = [worker_lost(0), ValueError("its own"), worker_lost(1), ManagerLost("m", "node"), worker_lost(2)]
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=100) as dfk:
        error = call(dfk, Unlucky(*ends)).exception()
    assert executor.calls == len(ends)
    assert "its own" in str(error)
    assert "3 workers" in str(error)


def test_fewer_losses_are_retried_as_usual(tmp_path: Any) -> None:
    losses = [worker_lost(number) for number in range(MAX_WORKER_LOSSES - 1)]
    with kernel(tmp_path, PromptExecutor(), retries=100) as dfk:
        assert call(dfk, Unlucky(*losses)).result() == "done"


def test_without_retries_left_the_error_is_the_loss_itself(tmp_path: Any) -> None:
    losses = [worker_lost(number) for number in range(100)]
    with kernel(tmp_path, PromptExecutor(), retries=MAX_WORKER_LOSSES - 1) as dfk:
        error = call(dfk, Unlucky(*losses)).exception()
    assert error is losses[MAX_WORKER_LOSSES - 1]


def test_workers_that_were_ended_because_of_their_memory_count(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=100) as dfk:
        ends = [WorkerOverMemory(0, "node", "used too much") for _ in range(100)]
        assert isinstance(call(dfk, Unlucky(*ends)).exception().__cause__, WorkerOverMemory)
    assert executor.calls == MAX_WORKER_LOSSES


def test_managers_that_are_lost_do_not_count(tmp_path: Any) -> None:
    losses = [ManagerLost("m", "node") for _ in range(10)]
    with kernel(tmp_path, PromptExecutor(), retries=10) as dfk:
        assert call(dfk, Unlucky(*losses)).result() == "done"
