"""A worker above its memory limit is ended; its task fails with the reason, and other tasks continue."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from parsl.executors.high_throughput.errors import WorkerOverMemory
from parsl.executors.high_throughput.manager.memory_limit import GIB
from tests.system import tasks

if TYPE_CHECKING:
    from tests.system.fixtures import StartRun

LIMIT_GB = 0.125


def use_memory(gigabytes: float) -> None:
    data = bytearray(int(gigabytes * 2**30))
    time.sleep(tasks.FOREVER_S)
    del data


def have_a_child_use_memory(gigabytes: float) -> None:
    import subprocess
    import sys

    program = f"data = bytearray(int({gigabytes} * 2**30)); import time; time.sleep({tasks.FOREVER_S})"
    subprocess.run([sys.executable, "-c", program])


@pytest.mark.parametrize("function", [use_memory, have_a_child_use_memory])
def test_a_task_above_its_memory_limit_fails_with_the_peak(start_run: StartRun, function: object) -> None:
    run = start_run(max_workers_per_node=1, mem_per_worker=LIMIT_GB, enforce_mem_per_worker=True)
    before = run.call(tasks.worker_pid).result(timeout=60)
    with pytest.raises(WorkerOverMemory, match=re.escape(f"limit is {LIMIT_GB} GB")) as caught:
        run.call(function, 3 * LIMIT_GB).result(timeout=60)  # type: ignore[arg-type]
    assert caught.value.details["peak_memory"] > LIMIT_GB * GIB
    assert run.call(tasks.worker_pid).result(timeout=60) != before
