"""Consecutive runs in one process leave the process as it was."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import parsl
from parsl import Config, python_app
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

pytestmark = pytest.mark.slow


def config(tmp_path: Path, **options: object) -> Config:
    return Config(executors=[executor(**options)], run_dir=str(tmp_path / "r"))


def descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # it was for looking only
    return found


def test_twenty_cycles_leave_nothing_behind(tmp_path: Path, wait_until: WaitUntil) -> None:
    add = python_app(tasks.add)

    def cycle(number: int) -> None:
        with parsl.load(config(tmp_path)):
            assert add(number, b=1).result(timeout=60) == number + 1

    for number in range(3):
        cycle(number)
    wait_until(lambda: not [thread for thread in threading.enumerate() if "job" in thread.name])
    gc.collect()
    descriptors_before, threads_before = descriptors(), threading.active_count()
    memory_before = psutil.Process().memory_info().rss
    # A helper process of ``multiprocessing``, which another test has needed, stays to the end.
    children_before = set(psutil.Process().children())
    for number in range(20):
        cycle(number)
    wait_until(lambda: threading.active_count() <= threads_before, 60, f"the end of {threading.enumerate()}")
    assert set(psutil.Process().children()) <= children_before
    gc.collect()
    assert len(descriptors()) <= len(descriptors_before), descriptors()
    assert psutil.Process().memory_info().rss - memory_before < 8_000_000


def test_a_run_can_start_after_a_failed_run(tmp_path: Path, wait_until: WaitUntil) -> None:
    add = python_app(tasks.add)
    with parsl.load(config(tmp_path, launch_cmd="exit 1")):
        assert add(1).exception(timeout=30) is not None
    with parsl.load(config(tmp_path)):
        assert add(1).result(timeout=30) == 1


def test_runs_in_separate_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from parsl.dataflow.dflow import DataFlowKernel

    def complete_run(number: int) -> int:
        with DataFlowKernel(config(tmp_path)) as kernel:
            add = python_app(tasks.add, data_flow_kernel=kernel)
            return sum(future.result(timeout=60) for future in [add(number, b=i) for i in range(20)])

    with ThreadPoolExecutor(4) as threads:
        sums = list(threads.map(complete_run, range(12)))
    assert sums == [20 * number + 190 for number in range(12)]
    assert len(list((tmp_path / "r").iterdir())) == 12


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    add = python_app(tasks.add)
    with parsl.load(Config(executors=[executor()], run_dir="relative")):
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert add(1).result(timeout=30) == 1
    assert (tmp_path / "relative" / "000").is_dir()
    assert list((tmp_path / "elsewhere").iterdir()) == []
