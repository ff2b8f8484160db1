"""Failures are logged in the run directory and described by the exception; successes need no file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.tasks.failure_log import RUN_OVER
from parsl.errors import ConfigurationError
from parsl.eventlog import CANCELLED, DEPENDENCY_FAILED, FAILED, TRIED_AGAIN
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.failure_facts import facts_of
from tests.dataflow.fakes import HoldingExecutor, PromptExecutor, add, call, fail, kernel
from tests.dataflow.test_job_ends import Unlucky


def log_of(dfk: DataFlowKernel) -> Path:
    return Path(dfk.run_dir, "failures.jsonl")


def lines_of(dfk: DataFlowKernel) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_of(dfk).read_text().splitlines()]


def outcomes(dfk: DataFlowKernel) -> list[tuple[int, int, str]]:
    return [(line["task_id"], line["attempt"], line["outcome"]) for line in lines_of(dfk)]


def test_a_run_without_failures_has_no_log(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        assert call(dfk, add, 1, 2).result() == 3
    assert not log_of(dfk).exists()


def test_each_failed_attempt_is_logged_with_its_consequence(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), retries=1, initialize_logging=True) as dfk:
        future = call(dfk, fail)
        error = future.exception()
        assert outcomes(dfk) == [(0, 1, TRIED_AGAIN), (0, 2, FAILED)]  # as soon as the future is done
    last = lines_of(dfk)[-1]
    assert (last["app"], last["executor"], last["error"]) == ("fail", "prompt", "builtins.ValueError")
    assert last["message"] == "failed"
    assert "in fail" in last["traceback"]
    assert (last["cost"], last["retries"]) == (2, 1)
    assert last["called"] <= last["launched"] <= last["time"]
    facts = facts_of(error)
    assert (facts.app, facts.task_id, facts.attempt, facts.executor) == ("fail", 0, 2, "prompt")


def test_a_task_that_succeeds_later_has_only_its_failed_attempts(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), retries=1, initialize_logging=True) as dfk:
        assert call(dfk, Unlucky(ValueError("once"))).result() == "done"
    assert outcomes(dfk) == [(0, 1, TRIED_AGAIN)]


def test_attempts_lost_to_the_end_of_a_job_are_marked(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        assert call(dfk, Unlucky(ManagerLost("m", "node", is_job_end=True))).result() == "done"
    [line] = lines_of(dfk)
    assert (line["outcome"], line["is_job_end"], line["cost"]) == (TRIED_AGAIN, True, 0)


def test_failed_dependencies_and_cancelled_tasks_are_logged(tmp_path: Any) -> None:
    executor = HoldingExecutor()
    with kernel(tmp_path, executor, initialize_logging=True) as dfk:
        first, second = call(dfk, fail), call(dfk, add, 1, 2)
        third = call(dfk, add, first)
        second.cancel()
        executor.run_all()
        assert third.exception() is not None
    assert sorted(outcomes(dfk)) == [(0, 1, FAILED), (1, 1, CANCELLED), (2, 1, DEPENDENCY_FAILED)]
    assert "task 0" in next(line["message"] for line in lines_of(dfk) if line["task_id"] == 2)


def test_tasks_that_had_not_ended_are_counted(tmp_path: Any) -> None:
    with kernel(tmp_path, HoldingExecutor(), initialize_logging=True) as dfk:
        futures = [call(dfk, add, 1, 2) for _ in range(3)]
        dfk.cleanup()
        assert all(future.exception() is not None for future in futures)
    [line] = lines_of(dfk)
    assert (line["outcome"], line["unfinished"]) == (RUN_OVER, 3)


def test_without_logging_only_the_exception_has_the_facts(
    tmp_path: Any,
) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=False) as dfk:
        assert facts_of(call(dfk, fail).exception()).app == "fail"
    assert not log_of(dfk).exists()


def test_an_error_that_stands_for_many_tasks_is_not_marked_with_one(tmp_path: Any) -> None:
    shared = ConfigurationError("the executor is broken")
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        for _ in range(2):
            assert call(dfk, Unlucky(shared)).exception() is shared
    assert facts_of(shared).as_dict() == {}
    assert [line["task_id"] for line in lines_of(dfk)] == [0, 1]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_failure_without_a_repr_is_logged(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        assert isinstance(call(dfk, Unlucky(Unprintable())).exception(), Unprintable)
    assert "cannot be shown" in lines_of(dfk)[0]["message"]


def test_an_unwritable_log_fails_no_task(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        log_of(dfk).mkdir()
        assert isinstance(call(dfk, fail).exception(), ValueError)
