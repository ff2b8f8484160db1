"""Apps are pickled as parts of tasks."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import cloudpickle

from parsl import bash_app, python_app
from parsl.app.bash_task import BashTask
from parsl.serialize.functions import take_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from parsl.dataflow.dflow import DataFlowKernel


@python_app
def importable(x: int) -> int:
    return x + 1


@bash_app(executors=["a"])
def importable_bash() -> str:
    return "true"


def test_an_importable_app_is_pickled_by_name() -> None:
    for app in (importable, importable_bash):
        assert pickle.loads(pickle.dumps(app)) is app


def test_any_other_app_is_pickled_by_value() -> None:
    @python_app(executors=["a"], cache=True)
    def local(x: int) -> int:
        return x + 1

    copy = cloudpickle.loads(cloudpickle.dumps(local))
    assert copy.func(1) == 2
    assert (copy.__name__, copy.executors, copy.cache) == ("local", ["a"], True)


def test_a_recursive_app_is_pickled() -> None:
    @python_app
    def countdown(n: int) -> int:
        return n and countdown.func(n - 1)

    assert cloudpickle.loads(cloudpickle.dumps(countdown)).func(3) == 0
    assert cloudpickle.loads(cloudpickle.dumps(countdown.func))(3) == 0


def test_a_kernel_is_not_pickled(kernel: DataFlowKernel) -> None:
    @python_app(data_flow_kernel=kernel)
    def local() -> int:
        return 1

    assert cloudpickle.loads(cloudpickle.dumps(local)).data_flow_kernel is None


def test_a_bash_task_is_pickled_and_may_be_named_by_its_content() -> None:
    task = BashTask(importable_bash.func)
    copy = cloudpickle.loads(cloudpickle.dumps(task))
    assert (copy.__name__, copy()) == ("importable_bash", 0)
    assert take_snapshot(task) is not None  # type: ignore[arg-type]


def test_a_function_that_uses_an_app_may_be_named_by_its_content() -> None:
    @python_app
    def helper(x: int) -> int:
        return x

    def uses_it() -> int:
        return helper.func(1)

    assert take_snapshot(uses_it) is not None


SCRIPT = """
from parsl import python_app
import cloudpickle, sys

@python_app
def helper(x): return x + 1

@python_app
def task(x): return helper.func(x)

sys.stdout.buffer.write(cloudpickle.dumps((task.func, task)))
"""


def test_apps_of_a_script_work_in_a_process_without_the_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    pickled = subprocess.run([sys.executable, str(script)], capture_output=True, check=True).stdout
    function, app = cloudpickle.loads(pickled)
    assert function(1) == 2
    assert app.func(1) == 2
