"""The loss of a node at the end of its job is not the task's failure: the task is retried at no cost."""

from __future__ import annotations

from typing import Any

from parsl.dataflow.errors import DataFlowException
from parsl.dataflow.tasks.retries import MAX_JOB_ENDS
from parsl.executors.high_throughput.errors import ManagerLost
from tests.dataflow.fakes import PromptExecutor, call, kernel


def lost(*, is_job_end: bool = True) -> ManagerLost:
    return ManagerLost("m", "node", "the job was ended at its walltime", is_job_end=is_job_end)


class Unlucky:
    """A task whose attempts have these outcomes, one after another."""

    __name__ = "unlucky"

    def __init__(self, *ends: BaseException) -> None:
        self.ends = list(ends)

    def __call__(self) -> str:
        if self.ends:
            raise self.ends.pop(0)
        return "done"


def test_the_end_of_a_job_costs_no_retry(tmp_path: Any) -> None:
    handled: list[BaseException] = []

    def handler(error: BaseException, record: Any) -> float:
        handled.append(error)
        return 1.0

    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=0, retry_handler=handler, garbage_collect=False) as dfk:
        assert call(dfk, Unlucky(lost(), lost(), lost())).result() == "done"
        record = dfk.tasks[0]
        assert (record["fail_count"], record["fail_cost"], record["try_id"]) == (0, 0, 3)
        assert len(record["fail_history"]) == 3
    assert executor.calls == 4
    assert handled == []


def test_other_losses_of_managers_cost_a_retry(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), retries=1) as dfk:
        assert call(dfk, Unlucky(lost(is_job_end=False), lost())).result() == "done"
        error = call(dfk, Unlucky(lost(is_job_end=False), lost(), lost(is_job_end=False))).exception()
    assert isinstance(error, ManagerLost)


def test_a_task_that_always_outlives_its_job_fails_in_the_end(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=0) as dfk:
        error = call(dfk, Unlucky(*(lost() for _ in range(100)))).exception()
    assert executor.calls == MAX_JOB_ENDS + 1
    assert isinstance(error, DataFlowException)
    assert f"was running when its job ended, {MAX_JOB_ENDS + 1} times" in str(error)
    assert isinstance(error.__cause__, ManagerLost)


def test_after_several_ends_of_jobs_retries_are_used(tmp_path: Any) -> None:
    executor = PromptExecutor()
    with kernel(tmp_path, executor, retries=2) as dfk:
        assert call(dfk, Unlucky(*(lost() for _ in range(100)))).exception() is not None
    assert executor.calls == MAX_JOB_ENDS + 3
