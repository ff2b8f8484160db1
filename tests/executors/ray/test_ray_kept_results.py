"""Large results stay in Ray's object store until they are needed elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl import Config, python_app
from parsl.executors import RayExecutor
from tests.support.kept_results import LIMIT_S, SIZE, KeepsResults, make, processes, size_of
from tests.support.waiting import wait_until


def size_on_nodes(value: Any) -> tuple[str, int]:
    return os.environ["PARSL_NUM_NODES"], size_of(value)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
class TestRay(KeepsResults):
    def make_executor(self) -> RayExecutor:
        return RayExecutor("keeping", address="auto")

    def test_a_task_on_several_nodes_gets_it(self, apps: Any, tmp_path: Path) -> None:
        make_app, _, _ = apps
        path = tmp_path / "opened"
        app = python_app(size_on_nodes, executors=["keeping"])
        future = app(make_app(str(path)), parsl_resource_specification={"num_nodes": 1})
        assert future.result(LIMIT_S) == ("1", SIZE)
        assert os.getpid() not in processes(path)

    def test_all_results_can_come_home(self, cluster: str, tmp_path: Path) -> None:
        executor = RayExecutor("coming", address="auto", keep_results=False)
        path = tmp_path / "opened"
        with parsl.load(Config(executors=[executor], run_dir=str(tmp_path), strategy="none")):
            future = python_app(make)(str(path))
            wait_until(future.done, what="the end of the task")
            assert os.getpid() in processes(path)
