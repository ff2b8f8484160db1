"""The log records about tasks, and their attributes, which have upstream's names."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl import File, ThreadPoolExecutor
from parsl.dataflow.memoization import BasicMemoizer
from parsl.log_utils import set_stream_logger
from parsl.logconfigs.json import JSONLogging
from tests.dataflow.fakes import PromptExecutor, add, call, call_join, fail, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

PARSL = logging.getLogger("parsl")


class Attributes(logging.Handler):
    """Keeps the attributes of the records about tasks, without the run's."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        found = {key[6:]: value for key, value in vars(record).items() if key.startswith("parsl.")}
        if "task" in found:
            self.all.append(found)

    def of(self, task: int) -> list[dict[str, Any]]:
        """The attributes of a task's records; each record has the task and the same run."""
        runs = {found["dfk"] for found in self.all}
        assert len(runs) == 1, runs
        mine = [found for found in self.all if found["task"] == task]
        return [{key: found[key] for key in found if key not in ("dfk", "task")} for found in mine]


@pytest.fixture
def listener() -> Iterator[Attributes]:
    handler = Attributes()
    PARSL.addHandler(handler)
    yield handler
    PARSL.removeHandler(handler)


def states(*names: str) -> list[dict[str, Any]]:
    return [{"task_state": name} for name in names]


def with_executor(label: str, attempt: int = 0) -> dict[str, Any]:
    return {"task_state": "launched", "executor": label, "try": attempt}


def test_a_listener_gets_each_step_of_a_task(tmp_path: Any, listener: Attributes) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        first = call(dfk, add, 1)
        second = call(dfk, add, first, 2)
        assert second.result() == 3
        assert {found["dfk"] for found in listener.all} == {dfk.run_id}
    label = dfk.config.executors[0].label
    assert listener.of(0) == [
        {"app_name": "add"}, *states("pending"), with_executor(label), *states("exec_done")
    ]  # fmt: skip
    assert listener.of(1)[:2] == [{"app_name": "add"}, {"dependency_task": 0}]


def test_failures_retries_and_joins_are_states(tmp_path: Any, listener: Attributes) -> None:
    with kernel(tmp_path, ThreadPoolExecutor(), retries=1, initialize_logging=True) as dfk:
        failed = call(dfk, fail)
        failed.exception()
        call(dfk, add, failed).exception()
        call_join(dfk, list).result()
    attempts = [
        with_executor("threads", 0),
        *states("fail_retryable", "pending"),
        with_executor("threads", 1),
    ]
    assert listener.of(0) == [{"app_name": "fail"}, *states("pending"), *attempts, *states("failed")]
    assert listener.of(1)[-1:] == states("dep_fail")
    assert listener.of(2)[2:] == [with_executor("_parsl_internal"), *states("joining", "exec_done")]


def test_memoized_tasks_and_files_have_records(tmp_path: Any, listener: Attributes) -> None:
    def write(outputs: Any = ()) -> None:
        Path(outputs[0]).touch()

    memoizer = BasicMemoizer()
    with kernel(tmp_path, PromptExecutor(), memoizer=memoizer, initialize_logging=True) as dfk:
        for _ in range(2):
            dfk.submit(add, (1,), "all", True, None, {}).result()
        written = call(dfk, write, outputs=[File(tmp_path / "x")])
        call(dfk, str, written.outputs[0]).result()
    assert listener.of(1)[-1:] == states("memo_done")
    assert {"dependency_task": 2} in listener.of(3)


def test_a_listener_that_comes_during_the_run_gets_the_tasks_from_then_on(tmp_path: Any) -> None:
    listener = Attributes()
    with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
        call(dfk, add).result()
        PARSL.addHandler(listener)
        call(dfk, add).result()
        PARSL.removeHandler(listener)
        call(dfk, add).result()
        call(dfk, add).result()
    assert {found["task"] for found in listener.all} == {1}


def test_a_text_log_and_handlers_of_the_root_logger_do_not_listen(tmp_path: Any) -> None:
    listener = Attributes()
    logging.root.addHandler(listener)
    end_warnings = set_stream_logger(level=logging.WARNING)
    try:
        with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
            call(dfk, add).result()
            log = Path(dfk.run_dir, "parsl.log")
    finally:
        end_warnings()
        logging.root.removeHandler(listener)
    assert listener.all == []
    assert "Task 0" not in log.read_text()


def test_a_stream_logger_listens(tmp_path: Any, capsys: Any) -> None:
    end = set_stream_logger(level=logging.INFO)
    try:
        with kernel(tmp_path, PromptExecutor(), initialize_logging=True) as dfk:
            call(dfk, add).result()
    finally:
        end()
    assert "Task 0: exec_done" in capsys.readouterr().err


def test_json_logging_listens(tmp_path: Any) -> None:
    with kernel(tmp_path, PromptExecutor(), initialize_logging=JSONLogging(level=logging.INFO)) as dfk:
        call(dfk, add).result()
        log = Path(dfk.run_dir, "parsl.jsonlog")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    found = [line["parsl.task_state"] for line in lines if "parsl.task_state" in line]
    assert found == ["pending", "launched", "exec_done"]
    assert {line["parsl.dfk"] for line in lines if "parsl.task" in line} == {dfk.run_id}
    assert (
        next(line for line in lines if line["formatted"].startswith("Parsl run"))["parsl.dfk"] == dfk.run_id
    )
