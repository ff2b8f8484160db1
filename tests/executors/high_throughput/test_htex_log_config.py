"""A LogConfig applies to all processes of a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsl import HighThroughputExecutor, python_app
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.logconfigs.base import LogConfig
from parsl.logconfigs.file import FileLogging
from parsl.logconfigs.json import JSONLogging
from parsl.logconfigs.noop import NoopLogging
from tests.conftest import WaitUntil


def warn(text: str) -> None:
    import logging

    logging.getLogger("of.a.task").warning(text)


class OneFile(LogConfig):
    """Writes the name of each process to a file."""

    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        (log_dir / f"{log_name}.started").touch()
        return lambda: None


def run(tmp_path: Any, log_config: LogConfig, wait_until: WaitUntil, expected: set[str]) -> dict[str, Path]:
    """Run a task; return the logs of the run by name."""
    executor = HighThroughputExecutor(label="htex", max_workers_per_node=1, cores_per_worker=0.1)
    config = Config(
        executors=[executor], run_dir=str(tmp_path), initialize_logging=log_config, strategy="none"
    )
    with DataFlowKernel(config) as dfk:
        python_app(warn, data_flow_kernel=dfk)("hello from a task").result()
    found: dict[str, Path] = {}

    def is_complete() -> bool:
        found.update({path.name: path for path in Path(dfk.run_dir).rglob("*")})
        return expected <= set(found)

    wait_until(is_complete, what=f"{expected}")
    return found


def test_json_logging_is_that_of_all_processes_and_has_the_records_of_tasks(
    tmp_path: Any, wait_until: WaitUntil
) -> None:
    names = {"parsl.jsonlog", "interchange.jsonlog", "manager.jsonlog", "worker_0.jsonlog"}
    found = run(tmp_path, JSONLogging(level=logging.INFO), wait_until, names)
    lines = {name: [json.loads(line) for line in found[name].read_text().splitlines()] for name in names}
    assert all(lines.values())
    assert "hello from a task" in [line["msg"] for line in lines["worker_0.jsonlog"]]
    (task,) = [line for line in lines["parsl.jsonlog"] if "parsl.executor" in line]
    assert (task["parsl.executor"], task["parsl.executor_task"]) == ("htex", 1)
    assert not [name for name in found if name.endswith(".log")]


def test_the_format_of_a_file_log_is_that_of_all_processes(tmp_path: Any, wait_until: WaitUntil) -> None:
    names = {"parsl.log", "interchange.log", "manager.log", "worker_0.log"}
    found = run(tmp_path, FileLogging(format_string="HEY %(message)s"), wait_until, names)
    for name in names:
        lines = found[name].read_text().splitlines()
        assert lines, name
        assert lines[0].startswith("HEY "), lines
    assert "task 1" not in found["worker_0.log"].read_text()  # a line for each task only with worker_debug


@pytest.mark.parametrize(("config", "suffix"), [(NoopLogging(), None), (OneFile(), ".started")])
def test_other_log_configs_replace_all_logs(
    tmp_path: Any, wait_until: WaitUntil, config: LogConfig, suffix: str | None
) -> None:
    roles = ("parsl", "interchange", "manager", "worker_0")
    expected = {f"{role}{suffix}" for role in roles} if suffix else set()
    found = run(tmp_path, config, wait_until, expected)
    assert not [name for name in found if name.endswith((".log", ".jsonlog"))]
