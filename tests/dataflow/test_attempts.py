"""An error that ends an attempt from outside names the task and the attempt."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from parsl.app.errors import AppException, AppTimeout
from parsl.errors import AttemptError
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from tests.dataflow.fakes import PromptExecutor, call, kernel
from tests.dataflow.test_job_ends import Unlucky

ERRORS = [
    AppTimeout("too long on node"),
    WorkerLost(3, "node", "killed on node"),
    WorkerLost(3, "node"),
    ManagerLost("m", "node", "gone with node"),
    ManagerLost("m", "node"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_the_error_of_the_last_attempt_names_it(tmp_path: Any, error: AttemptError) -> None:
    error = pickle.loads(pickle.dumps(error))
    text = str(error)
    with kernel(tmp_path, PromptExecutor(), retries=1) as dfk:
        failed = call(dfk, Unlucky(ValueError("the first"), error)).exception()
    assert failed is error
    assert str(failed) == f"Task 0 (unlucky), attempt 2: {text}"
    assert failed.attempt == "Task 0 (unlucky), attempt 2"
    assert str(failed) in str(failed.args)
    assert str(pickle.loads(pickle.dumps(failed))) == str(failed)


def test_the_history_lists_the_outcome_of_each_attempt(tmp_path: Any) -> None:
    losses = [AppTimeout("too long"), AppTimeout("too long again")]
    with kernel(tmp_path, PromptExecutor(), retries=2) as dfk:
        future = call(dfk, Unlucky(*losses))
        assert future.result() == "done"
        assert future.task_record["fail_history"] == [
            "AppTimeout('Task 0 (unlucky), attempt 1: too long')",
            "AppTimeout('Task 0 (unlucky), attempt 2: too long again')",
        ]


def test_an_error_passed_on_by_another_task_keeps_its_name(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor()) as dfk:
        first = call(dfk, Unlucky(AppTimeout("too long")))
        error = call(dfk, first.result).exception()
    assert str(error) == "Task 0 (unlucky), attempt 1: too long"


def test_an_exit_in_the_place_of_an_error_ends_the_task_only(tmp_path: Any) -> None:
    """An executor meets it when it reads a result whose class calls sys.exit."""
    with kernel(tmp_path, PromptExecutor()) as dfk:
        error = call(dfk, Unlucky(SystemExit(3))).exception()
    assert isinstance(error, AppException)
    assert isinstance(error.__cause__, SystemExit)


@pytest.mark.parametrize("error", [AppTimeout(), AppTimeout(3), ValueError("its own")], ids=repr)
def test_errors_of_the_task_itself_are_unchanged(tmp_path: Any, error: Exception) -> None:
    args = error.args
    with kernel(tmp_path, PromptExecutor()) as dfk:
        assert call(dfk, Unlucky(error)).exception() is error
    assert error.args == args
