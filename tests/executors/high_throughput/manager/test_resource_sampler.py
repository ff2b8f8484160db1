"""Samples of what running tasks use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from parsl.executors.high_throughput.manager.resource_sampler import ResourceSampler, measure_tree
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire.protocol import Task
from tests.conftest import WaitUntil

MB = 1_000_000
#: Uses memory and processor time, reports that, and sleeps.
BUSY = """
import time
x = bytes([1]) * 100_000_000
while time.process_time() < 0.3: pass
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def busy(wait_until: WaitUntil) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wait_until(lambda: psutil.Process(process.pid).status() == "sleeping")
    yield process.pid
    process.kill()
    process.communicate()


def worker_with(pid: int, task_id: int, started: float) -> Worker:
    worker = Worker(0)
    worker.pid, worker.started = pid, started
    worker.given.append(Task(task_id, b"", b""))
    return worker


def test_a_sample_has_the_totals_of_all_processes(busy: int) -> None:
    sample = measure_tree(os.getpid(), {os.getpid(), busy})
    alone = measure_tree(busy, {busy})
    assert sample is not None
    assert alone is not None
    assert sample.pid == os.getpid()
    assert sample.memory_resident > alone.memory_resident > 100 * MB
    assert sample.memory_virtual > sample.memory_resident
    assert 0 < sample.memory_percent < 100
    assert sample.user_s + sample.system_s > alone.user_s + alone.system_s >= 0.2
    assert sample.children == 1
    assert alone.voluntary_switches > 0
    assert alone.status == "sleeping"


def test_the_processor_time_of_earlier_tasks_does_not_count(busy: int) -> None:
    whole, rest = measure_tree(busy, {busy}), measure_tree(busy, {busy}, before_s=0.1)
    assert whole is not None
    assert rest is not None
    assert rest.user_s + rest.system_s == pytest.approx(whole.user_s + whole.system_s - 0.1)
    nothing = measure_tree(busy, {busy}, before_s=100.0)
    assert nothing is not None
    assert (nothing.user_s, nothing.system_s) == (0.0, 0.0)


def test_a_process_that_has_ended_has_no_sample(wait_until: WaitUntil) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert measure_tree(process.pid, {process.pid}) is None


def test_only_tasks_that_run_for_an_interval_are_sampled(busy: int) -> None:
    sampler = ResourceSampler(30.0)
    now = time.monotonic()
    assert sampler.take([worker_with(busy, 1, now - 29.0), Worker(1)], now) == {}
    assert sampler.due_s == now + 30.0
    samples = sampler.take([worker_with(busy, 1, now - 31.0), Worker(1)], now)
    assert list(samples) == [1]
    assert samples[1].memory_resident > 100 * MB
    assert repr(sampler) == "<ResourceSampler every 30 s>"
