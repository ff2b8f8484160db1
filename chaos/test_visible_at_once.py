"""A result is visible in the counts, the memoizer and the checkpoint as soon as its future is done."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

import parsl
from parsl import Config, python_app
from parsl.dataflow.memoization import BasicMemoizer
from parsl.dataflow.states import States
from parsl.executors import HighThroughputExecutor
from parsl.executors.threads import ThreadPoolExecutor
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from parsl.executors.base import ParslExecutor

TIMES = 10_000


def rest_of(file: BinaryIO) -> list[object]:
    """Return the results that were written to a checkpoint file since the last reading."""
    found = []
    while True:
        at = file.tell()
        try:
            found.append(pickle.load(file)["result"])
        except EOFError:
            file.seek(at)
            return found


def one_executor(kind: str) -> ParslExecutor:
    return executor() if kind == "htex" else ThreadPoolExecutor(label="threads", max_threads=2)


@pytest.mark.parametrize("kind", ["htex", "threads"])
def test_counts_and_results_agree_ten_thousand_times(tmp_path: Path, kind: str) -> None:
    add = python_app(tasks.add, cache=True)
    memoizer = BasicMemoizer(checkpoint_mode="task_exit")
    one = one_executor(kind)
    config = Config(executors=[one], run_dir=str(tmp_path / "r"), memoizer=memoizer)
    with parsl.load(config) as kernel:
        assert add(-1).result(timeout=60) == -1
        with open(f"{kernel.run_dir}/checkpoint/tasks.pkl", "rb") as file:
            assert rest_of(file) == [-1]
            for number in range(TIMES):
                future = add(number)
                assert future.result(timeout=60) == number
                assert rest_of(file) == [number]
                assert kernel.task_state_counts[States.exec_done] == number + 2
                again = add(number)
                assert again.task_status() == "memo_done"
                assert again.result(timeout=0) == number
                assert kernel.task_state_counts[States.memo_done] == number + 1
                assert not kernel.tasks
                if isinstance(one, HighThroughputExecutor):
                    assert one.outstanding() == 0
