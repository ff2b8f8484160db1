"""The end of a script, by itself or by an error, while tasks run in threads."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import Future
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl.config import Config
from parsl.dataflow.errors import DataFlowException
from parsl.dataflow.run import executor_set
from parsl.dataflow.run.exit_hook import UnfinishedTasksWarning
from parsl.executors.threads import ThreadPoolExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parsl.dataflow.dflow import DataFlowKernel


@pytest.fixture
def gate() -> Iterator[Event]:
    """The event that tasks wait for."""
    gate = Event()
    yield gate
    gate.set()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFlowKernel:
    monkeypatch.setattr(executor_set, "LIMIT_AFTER_ERROR_S", 0.05)
    return parsl.load(Config(executors=[ThreadPoolExecutor()], run_dir=str(tmp_path)))


class Cleaned:
    """Cleans a kernel up when it is closed."""

    def __init__(self, kernel: DataFlowKernel) -> None:
        self.close = kernel.cleanup


def start(kernel: DataFlowKernel, func: Any) -> Future[Any]:
    return kernel.submit(func, (), "all", False, None, {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_leaving_the_block_on_an_error_waits_for_no_thread(
    kernel: DataFlowKernel, gate: Event, error: type[BaseException]
) -> None:
    running = start(kernel, gate.wait)
    with pytest.raises(error), kernel:
        raise error
    assert running.done()


def test_a_script_that_ends_before_its_tasks_causes_a_warning(kernel: DataFlowKernel, gate: Event) -> None:
    waiting = kernel.submit(gate.is_set, (), "all", False, None, {"inputs": [Future()]})
    with pytest.warns(
        UnfinishedTasksWarning, match=r"1 of its tasks are not done.*wait_for_current_tasks\(\)"
    ):
        kernel.atexit_cleanup()
    assert isinstance(waiting.exception(), DataFlowException)


def test_a_script_whose_tasks_have_ended_causes_no_warning(kernel: DataFlowKernel) -> None:
    start(kernel, int).result()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel.atexit_cleanup()


def test_a_cleanup_during_an_error_waits_for_no_thread(kernel: DataFlowKernel, gate: Event) -> None:
    running = start(kernel, gate.wait)
    with pytest.raises(KeyboardInterrupt), closing(Cleaned(kernel)):
        raise KeyboardInterrupt
    assert running.done()


@pytest.mark.parametrize("is_exit", [False, True])
def test_leaving_the_block_normally_lets_tasks_in_threads_finish(
    kernel: DataFlowKernel, gate: Event, is_exit: bool
) -> None:
    begun = Event()

    def work() -> str:
        begun.set()
        # Longer than what is allowed after an error.
        return "timeout" if not gate.wait(0.2) else "gate"

    try:
        with kernel:
            running = start(kernel, work)
            assert begun.wait(60)
            if is_exit:
                sys.exit()
    except SystemExit:
        pass
    assert running.result(0) == "timeout"


@pytest.mark.parametrize("with_block", [False, True])
def test_ctrl_c_ends_a_script_whose_threads_are_busy(tmp_path: Path, with_block: bool) -> None:
    script = f"""
import contextlib, parsl, signal, threading
from parsl.dataflow.run import executor_set
executor_set.LIMIT_AFTER_ERROR_S = 0.05
kernel = parsl.load()
with kernel if {with_block} else contextlib.nullcontext():
    kernel.submit(threading.Event().wait, (), "all", False, None, {{}})
    signal.raise_signal(signal.SIGINT)
"""
    source = os.path.dirname(os.path.dirname(parsl.__file__))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert done.returncode == -2
