"""The types of futures for type checkers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import parsl
from tests.support.types_config import write_config

pytestmark = pytest.mark.slow

pytest.importorskip("mypy")

SNIPPET = """
from concurrent.futures import Future, wait
from parsl.app.futures import DataFuture
from parsl.dataflow.dflow import DataFlowKernelLoader
from parsl.dataflow.futures import AppFuture
from parsl.vocabulary.lean_future import LeanFuture
import parsl

def use(app_future: AppFuture[int], data_future: DataFuture, lean: LeanFuture[str]) -> None:
    reveal_type(app_future.result())
    reveal_type(app_future["key"])
    reveal_type(app_future.attribute)
    reveal_type(app_future.task_status())
    reveal_type(app_future.outputs[0].filepath)
    reveal_type(data_future.result())
    reveal_type(lean.result())
    standard: Future[int] = app_future
    wait([app_future])
    app_future.add_done_callback(lambda f: print(f.result()))
    with parsl.load(parsl.Config(retries=1)) as dfk:
        reveal_type(dfk)
        reveal_type(parsl.dfk().task_count)
        reveal_type(DataFlowKernelLoader.dfk())

async def await_it(app_future: AppFuture[int]) -> None:
    reveal_type(await app_future)

Config = parsl.Config(retries="3")
"""


def test_futures_have_the_types_of_their_results(tmp_path: Any) -> None:
    script = tmp_path / "snippet.py"
    script.write_text(SNIPPET)
    write_config(tmp_path)
    source = os.path.dirname(os.path.dirname(parsl.__file__))
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            tmp_path / "cache",
            "--follow-imports=silent",
            script,
        ],
        env={**os.environ, "MYPYPATH": source},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    revealed = [
        line.split("Revealed type is ")[1].strip('"')
        for line in checked.stdout.splitlines()
        if "Revealed" in line
    ]
    app_future_of_any = "parsl.dataflow.futures.AppFuture[Any]"
    assert revealed == [
        "int",
        app_future_of_any,
        app_future_of_any,
        "str",
        "str",
        "parsl.vocabulary.files.File",
        "str",
        "parsl.dataflow.dflow.DataFlowKernel",
        "int",
        "parsl.dataflow.dflow.DataFlowKernel",
        "int",
    ]
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1
    assert 'Argument "retries" to "Config" has incompatible type "str"' in errors[0]
