"""Two hundred runs in a process whose other threads log and resolve names: nothing hangs or is left."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import parsl
from parsl import Config, bash_app, python_app
from parsl.executors.threads import ThreadPoolExecutor
from tests.system import tasks
from tests.system.run import executor
from tests.system.test_cycles import descriptors

if TYPE_CHECKING:
    import pytest

    from tests.conftest import WaitUntil

#: The first runs, which create everything that exists once per process.
FIRST = 10
MEMORY_MARGIN = 20_000_000


@contextlib.contextmanager
def busy_threads(log: Path) -> Iterator[None]:
    """Threads that hold the locks that a fork would copy: of loggers, of files, of the resolver."""
    is_over = threading.Event()
    logger = logging.getLogger("noise")
    logger.propagate = False
    handler = logging.FileHandler(log)
    logger.addHandler(handler)

    def make_noise() -> None:
        while not is_over.wait(0.001):
            logger.warning("noise %s", socket.getaddrinfo("localhost", 80)[0][4])

    threads = [threading.Thread(target=make_noise, name=f"noise {number}") for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        logger.removeHandler(handler)
        handler.close()


def test_two_hundred_starts_next_to_busy_threads_leave_nothing_behind(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    wait_until: WaitUntil,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("parsl"), "propagate", False)  # pytest would keep all records

    def cycle(number: int) -> None:
        executors = [executor(label="htex", max_workers_per_node=1), ThreadPoolExecutor(label="threads")]
        with parsl.load(
            Config(executors=executors, run_dir=str(tmp_path / "r"), initialize_logging=number % 2 == 0)
        ):
            add = python_app(tasks.add, executors=["htex"])
            command = bash_app(lambda: "true", executors=["threads"])
            done = command()
            assert add(number, b=1).result(timeout=60) == number + 1
            assert done.result(timeout=60) == 0

    with busy_threads(tmp_path / "noise.log"):
        for number in range(FIRST):
            cycle(number)
        wait_until(lambda: not [thread for thread in threading.enumerate() if "job" in thread.name])
        gc.collect()
        descriptors_before, threads_before = descriptors(), threading.active_count()
        memory_before = psutil.Process().memory_info().rss
        for number in range(request.config.getoption("--starts")):
            cycle(number)
        wait_until(
            lambda: threading.active_count() <= threads_before, 60, f"the end of {threading.enumerate()}"
        )
        assert psutil.Process().children() == []
        gc.collect()
        assert len(descriptors()) <= len(descriptors_before), descriptors()
        assert psutil.Process().memory_info().rss - memory_before < MEMORY_MARGIN
