"""What a worker measures of its tasks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from threading import get_ident

import pytest

from parsl.app.bash_task import remote_side_bash_executor
from parsl.common.system import IS_PORTABLE, MAX_RSS_UNIT_BYTES
from parsl.executors.high_throughput.worker.usage_meter import MEASURED_S, UsageMeter
from parsl.executors.local import task_process
from parsl.vocabulary.run_observer import Accounting, unpack_usage

MB = 1_000_000


@pytest.fixture
def meter() -> UsageMeter:
    yield UsageMeter(manager=4, worker=7)
    del task_process.by_thread[get_ident()]


def measured(meter: UsageMeter, task: Callable[[], object]) -> Accounting:
    meter.start()
    task()
    found = unpack_usage(meter.stop())
    assert found is not None
    return found


def highest_peak() -> int:
    """Return the peak memory (bytes) of this process and of its children, also of other tests."""
    return max(getrusage(who).ru_maxrss for who in (RUSAGE_SELF, RUSAGE_CHILDREN)) * MAX_RSS_UNIT_BYTES


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_short_task_has_times_and_the_memory_of_its_worker(meter: UsageMeter) -> None:
    found = measured(meter, lambda: None)
    assert 0 <= found.cpu_s < MEASURED_S
    assert found.run_s > 0
    assert found.peak_memory > MB
    assert (found.manager, found.worker) == (4, 7)


def test_processor_time_is_that_of_the_task_alone(meter: UsageMeter) -> None:
    burn(0.5)
    found = measured(meter, lambda: burn(0.1))
    assert 0.1 <= found.cpu_s < 0.5


def test_processor_time_includes_processes_that_were_waited_for(meter: UsageMeter) -> None:
    code = "import os\nwhile os.times().user < 0.1: pass"
    found = measured(meter, lambda: subprocess.run([sys.executable, "-c", code], check=True))
    assert found.cpu_s > 0.09


@pytest.mark.skipif(IS_PORTABLE, reason="the memory of the moment is quick to read only on Linux")
def test_the_peak_counts_for_the_task_that_raised_it(meter: UsageMeter) -> None:
    below = measured(meter, lambda: burn(0.02)).peak_memory
    size = highest_peak() - below + 300 * MB
    large = measured(meter, lambda: (b"x" * size, burn(0.02))).peak_memory
    after = measured(meter, lambda: burn(0.02)).peak_memory
    assert large > below + 250 * MB
    assert after < below + 100 * MB


def test_the_peak_of_a_bash_app_is_that_of_its_command(meter: UsageMeter) -> None:
    own = highest_peak()
    large, small = f"{sys.executable} -c 'x = bytes([1]) * {own + 300 * MB}'", "sleep 0.01"
    first = measured(meter, lambda: remote_side_bash_executor(lambda: large))
    second = measured(meter, lambda: remote_side_bash_executor(lambda: small))
    assert first.peak_memory > own + 250 * MB
    assert 0 < second.peak_memory < own + 250 * MB


def test_the_peak_of_a_large_child_process_counts(meter: UsageMeter) -> None:
    own = highest_peak()
    code = f"x = bytes([1]) * {own + 500 * MB}"
    found = measured(meter, lambda: subprocess.run([sys.executable, "-c", code], check=True))
    assert found.peak_memory > own + 450 * MB
    assert measured(meter, lambda: burn(0.02)).peak_memory < own + 450 * MB
